use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::IosdRedeemed;
use crate::oracle::{Price, Seen};
use crate::state::{Iosd, Network};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct RedeemIosd {
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
    /// IOSD to burn, of the wallet.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    /// Receives the IO; any account of that mint.
    #[account(mut, constraint(*to.mint() == network.io_mint @ IonetError::WrongTokenMint))]
    pub to: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// CHECK: a Pyth price update, checked by the oracle module; absent = the last rate, after a day without a price.
    pub price_update: Option<UncheckedAccount>,
}

/// Burns IOSD and mints IO for it: what it is worth at the high end of the price, but never more than its part of the
/// backing, less the spread. An exit: never paused.
pub fn handler(ctx: &mut Context<RedeemIosd>, iosd_amount: u64, min_io: u64) -> Result<()> {
    require!(iosd_amount > 0, IonetError::ZeroAmount);
    let (now, slot) = clock::now_and_slot()?;
    let wallet = *ctx.accounts.wallet.address();
    token::check_token_account(&ctx.accounts.from, &wallet, &ctx.accounts.network.iosd_mint)?;
    let last_rate = ctx.accounts.price_update.is_none();
    let worth = worth(&mut ctx.accounts, iosd_amount, now)?;
    let (network, iosd) = (&ctx.accounts.network, &mut ctx.accounts.iosd);
    let io_amount = iosd.redeem_out(iosd_amount, worth.io, network.params.spread_bps)?;
    require!(io_amount > 0, IonetError::ZeroAmount);
    require!(io_amount >= min_io, IonetError::SlippageExceeded);

    iosd.limit_redeem(iosd_amount, &network.params, now, slot)?;
    iosd.redeemed = math::add(iosd.redeemed, iosd_amount)?;
    iosd.io_redeemed = math::add(iosd.io_redeemed, io_amount)?;
    iosd.next_seq()?;
    let bump = [network.bump];
    let burned = token::burn(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.iosd_mint.cpi_handle_mut(),
        ctx.accounts.wallet.cpi_handle(),
        iosd_amount,
        &[],
    );
    token::mint_for(
        burned,
        ctx.accounts.io_mint.cpi_handle_mut(),
        ctx.accounts.to.cpi_handle_mut(),
        ctx.accounts.network.cpi_handle(),
        io_amount,
        &[&[Network::SEED, &bump]],
    );
    let iosd = &ctx.accounts.iosd;
    emit_event!(
        ctx,
        IosdRedeemed {
            iosd: *iosd.address(),
            seq: iosd.seq,
            at: now,
            wallet,
            iosd_burned: iosd_amount,
            io_minted: io_amount,
            price: worth.price,
            publish_time: worth.publish_time,
            last_rate,
            redeemed_after: iosd.redeemed,
            io_redeemed_after: iosd.io_redeemed,
        }
    );
    Ok(())
}

/// What dollars are worth in IO on its way out, and by which price.
struct Worth {
    io: u64,
    price: u64,
    publish_time: i64,
}

/// By the price given, or by the last one seen once it is old enough.
fn worth(accounts: &mut RedeemIosd, iosd_amount: u64, now: i64) -> Result<Worth> {
    let (network, iosd) = (&accounts.network, &mut accounts.iosd);
    if let Some(update) = &accounts.price_update {
        let price = Price::load(update, network, iosd, now)?;
        iosd.use_price(&price)?;
        let io = price.io_out(iosd_amount)?;
        return Ok(Worth { io, price: price.high_price()?, publish_time: price.publish_time });
    }
    let seen = Seen { low: iosd.last_price, high: iosd.last_high_price };
    require!(seen.high > 0, IonetError::PriceRequired);
    let opens = math::add_time(iosd.last_publish_time, u64::from(network.params.last_rate_after_secs))?;
    require!(now >= opens, IonetError::PriceStillFresh);
    Ok(Worth { io: seen.io_out(iosd_amount)?, price: seen.high, publish_time: iosd.last_publish_time })
}
