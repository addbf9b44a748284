//! What both ways of minting IOSD share: the accounts, the price, the burn and the mint.

use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::IosdMinted;
use crate::oracle::Price;
use crate::state::{Iosd, Network, PAUSE_MINT_IOSD};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct MintIosd {
    /// Burns its tokens.
    pub wallet: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The books of IOSD.
    #[account(mut, seeds = [b"iosd"], bump)]
    pub iosd: Box<Account<Iosd>>,
    /// IO.
    #[account(mut, address = network.io_mint @ IonetError::WrongMint)]
    pub io_mint: Box<Account<Mint>>,
    /// IOSD.
    #[account(mut, address = network.iosd_mint @ IonetError::WrongMint)]
    pub iosd_mint: Box<Account<Mint>>,
    /// IO to burn, of the wallet.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    /// Receives the IOSD; any account of that mint.
    #[account(mut, constraint(*to.mint() == network.iosd_mint @ IonetError::WrongTokenMint))]
    pub to: Box<Account<TokenAccount>>,
    /// CHECK: a Pyth price update; the oracle module checks it.
    pub price_update: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

pub fn load_price(accounts: &MintIosd) -> Result<Price> {
    accounts.network.check_not_paused(PAUSE_MINT_IOSD)?;
    Price::load(&accounts.price_update, &accounts.network, &accounts.iosd, clock::now()?)
}

/// Burns `io_amount` and mints `iosd_amount` for it.
#[inline(never)]
pub fn mint(ctx: &mut Context<MintIosd>, price: &Price, io_amount: u64, iosd_amount: u64) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    let wallet = *ctx.accounts.wallet.address();
    token::check_token_account(&ctx.accounts.from, &wallet, &ctx.accounts.network.io_mint)?;
    let iosd = &mut ctx.accounts.iosd;
    iosd.limit_mint(iosd_amount, &ctx.accounts.network.params, now, slot)?;
    iosd.minted = math::add(iosd.minted, iosd_amount)?;
    iosd.io_burned = math::add(iosd.io_burned, io_amount)?;
    iosd.use_price(price)?;
    iosd.next_seq()?;
    let bump = [ctx.accounts.network.bump];
    let burned = token::burn(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.io_mint.cpi_handle_mut(),
        ctx.accounts.wallet.cpi_handle(),
        io_amount,
        &[],
    );
    token::mint_for(
        burned,
        ctx.accounts.iosd_mint.cpi_handle_mut(),
        ctx.accounts.to.cpi_handle_mut(),
        ctx.accounts.network.cpi_handle(),
        iosd_amount,
        &[&[Network::SEED, &bump]],
    );
    let iosd = &ctx.accounts.iosd;
    emit_event!(
        ctx,
        IosdMinted {
            iosd: *iosd.address(),
            seq: iosd.seq,
            at: now,
            wallet,
            io_burned: io_amount,
            iosd_minted: iosd_amount,
            price: price.low_price()?,
            publish_time: price.publish_time,
            minted_after: iosd.minted,
            io_burned_after: iosd.io_burned,
        }
    );
    Ok(())
}
