use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::TokensBurned;
use crate::state::{Iosd, Network};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct Burn {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The books of IOSD.
    #[account(mut, seeds = [b"iosd"], bump)]
    pub iosd: Box<Account<Iosd>>,
    /// IO or IOSD.
    #[account(
        mut,
        constraint((*mint.address() == network.io_mint || *mint.address() == network.iosd_mint) @ IonetError::WrongMint),
    )]
    pub mint: Box<Account<Mint>>,
    /// Burn vault of the mint.
    #[account(mut, seeds = [Network::BURN_SEED, mint.address().as_ref()], bump)]
    pub burn_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Slashes and fees collect there so that their instructions need not touch the mint.
pub fn handler(ctx: &mut Context<Burn>) -> Result<()> {
    let now = clock::now()?;
    let amount = ctx.accounts.burn_vault.amount();
    require!(amount > 0, IonetError::ZeroAmount);
    let mint = *ctx.accounts.mint.address();
    let is_iosd = mint == ctx.accounts.network.iosd_mint;
    let iosd = &mut ctx.accounts.iosd;
    let burned_after = if is_iosd {
        iosd.fee_burned = math::add(iosd.fee_burned, amount)?;
        iosd.fee_burned
    } else {
        iosd.io_other_burned = math::add(iosd.io_other_burned, amount)?;
        iosd.io_other_burned
    };
    iosd.seq = math::add(iosd.seq, 1)?;
    let seq = iosd.seq;
    let bump = [ctx.accounts.network.bump];
    token::burn(
        ctx.accounts.burn_vault.cpi_handle_mut(),
        ctx.accounts.mint.cpi_handle_mut(),
        ctx.accounts.network.cpi_handle(),
        amount,
        &[&[Network::SEED, &bump]],
    );
    emit_event!(ctx, TokensBurned { iosd: *ctx.accounts.iosd.address(), seq, at: now, mint, amount, burned_after });
    Ok(())
}
