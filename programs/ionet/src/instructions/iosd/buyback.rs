use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::IoBoughtBack;
use crate::oracle::Price;
use crate::state::{Iosd, Network};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct Buyback {
    /// Sells IO.
    pub seller: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The books of IOSD.
    #[account(mut, seeds = [b"iosd"], bump)]
    pub iosd: Box<Account<Iosd>>,
    /// IO.
    #[account(mut, address = network.io_mint @ IonetError::WrongMint)]
    pub io_mint: Box<Account<Mint>>,
    /// IO of the seller.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    /// Receives the USDC; any account of that mint.
    #[account(mut, constraint(*to.mint() == network.usdc_mint @ IonetError::WrongTokenMint))]
    pub to: Box<Account<TokenAccount>>,
    /// Fee vault of the mint.
    #[account(mut, seeds = [Network::FEES_SEED, network.usdc_mint.as_ref()], bump)]
    pub fee_vault: Box<Account<TokenAccount>>,
    /// CHECK: a Pyth price update; the oracle module checks it.
    pub price_update: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Buys IO with fees in USDC, at the low end of the price, from anyone who offers it, and burns it at once. Refused
/// when the seller would get less than `min_usdc`.
pub fn handler(ctx: &mut Context<Buyback>, io_amount: u64, min_usdc: u64) -> Result<()> {
    let now = clock::now()?;
    let seller = *ctx.accounts.seller.address();
    let (network, iosd) = (&ctx.accounts.network, &mut ctx.accounts.iosd);
    token::check_token_account(&ctx.accounts.from, &seller, &network.io_mint)?;
    let price = Price::load(&ctx.accounts.price_update, network, iosd, now)?;
    let usdc_amount = price.value_in(io_amount)?;
    require!(usdc_amount > 0, IonetError::ZeroAmount);
    require!(usdc_amount >= min_usdc, IonetError::SlippageExceeded);
    require!(ctx.accounts.fee_vault.amount() >= usdc_amount, IonetError::FeesTooSmall);
    iosd.io_other_burned = math::add(iosd.io_other_burned, io_amount)?;
    iosd.use_price(&price)?;
    iosd.next_seq()?;
    let bump = [network.bump];
    token::burn(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.io_mint.cpi_handle_mut(),
        ctx.accounts.seller.cpi_handle(),
        io_amount,
        &[],
    );
    token::transfer(
        ctx.accounts.fee_vault.cpi_handle_mut(),
        ctx.accounts.to.cpi_handle_mut(),
        ctx.accounts.network.cpi_handle(),
        usdc_amount,
        &[&[Network::SEED, &bump]],
    );
    let iosd = &ctx.accounts.iosd;
    emit_event!(
        ctx,
        IoBoughtBack {
            iosd: *iosd.address(),
            seq: iosd.seq,
            at: now,
            seller,
            io_burned: io_amount,
            usdc_paid: usdc_amount,
            price: price.low_price()?,
            publish_time: price.publish_time,
            io_other_burned_after: iosd.io_other_burned,
        }
    );
    Ok(())
}
