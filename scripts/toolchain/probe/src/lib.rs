//! Everything a compiler can get wrong here, in one small program: PDAs, token CPI with a PDA signer, CPI events,
//! more than five arguments, 128-bit arithmetic, floats, every kind of panic. probe_test.py runs it.

use anchor_lang::prelude::*;
use anchor_spl::{
    mint::Mint,
    token::{self, Token, TokenAccount, TokenCpiExt},
};
#[cfg(target_arch = "bpf")]
use solana_compiler_builtins as _;

declare_id!("E2BJE8WXAe7fLnW1ekVGg75udBFfWefNUsvPNcaKwLMm");

#[account]
pub struct Lease {
    pub renter: Address,
    pub deposited: u64,
    pub price: u64,
    pub opened_at: i64,
    pub bump: u8,
    pub _padding: [u8; 7],
}

#[event]
pub struct Moved {
    pub lease: Address,
    pub amount: u64,
}

#[error_code]
pub enum ProbeError {
    #[msg("The amount is zero")]
    ZeroAmount,
    #[msg("More than was deposited")]
    TooMuch,
}

#[program]
pub mod probe {
    use super::*;

    pub fn open(ctx: &mut Context<Open>, amount: u64) -> Result<()> {
        require!(amount > 0, ProbeError::ZeroAmount);
        let now = Clock::get()?.unix_timestamp;
        let price = seven(amount, 77, 7, amount, 13, 97, 1) as u64;
        let bump = ctx.bumps.lease;
        let lease = &mut ctx.accounts.lease;
        lease.renter = *ctx.accounts.renter.address();
        lease.deposited = amount;
        lease.price = price;
        lease.opened_at = now;
        lease.bump = bump;
        let decimals = ctx.accounts.mint.decimals();
        let accounts = &mut ctx.accounts;
        let (from, vault) = (&mut accounts.from, &mut accounts.vault);
        accounts.token_program.transfer_checked(
            from,
            &accounts.mint,
            vault,
            &accounts.renter,
            &[],
            amount,
            decimals,
        )?;
        emit_cpi!(Moved { lease: *ctx.accounts.lease.address(), amount });
        Ok(())
    }

    pub fn refund(ctx: &mut Context<Refund>, amount: u64) -> Result<()> {
        let renter = *ctx.accounts.renter.address();
        let bump = [ctx.accounts.lease.bump];
        let left = ctx.accounts.lease.deposited.checked_sub(amount).ok_or(ProbeError::TooMuch)?;
        ctx.accounts.lease.deposited = left;
        let mut data = [12; 10];
        data[1..9].copy_from_slice(&amount.to_le_bytes());
        data[9] = ctx.accounts.mint.decimals();
        let accounts = token::TransferChecked {
            from: ctx.accounts.vault.cpi_handle_mut(),
            mint: ctx.accounts.mint.cpi_handle(),
            to: ctx.accounts.to.cpi_handle_mut(),
            authority: ctx.accounts.lease.cpi_handle(),
        };
        let seeds: &[&[&[u8]]] = &[&[b"lease", renter.as_ref(), &bump]];
        CpiContext::new_with_signer(ctx.accounts.token_program.address(), accounts, seeds).invoke(&data)?;
        emit_cpi!(Moved { lease: *ctx.accounts.lease.address(), amount });
        Ok(())
    }

    /// Answers with return data, or fails the transaction where Rust panics.
    pub fn compute(_ctx: &mut Context<Compute>, kind: u8, a: u64, b: u64) -> Result<()> {
        let (wide_a, wide_b) = (u128::from(a), u128::from(b));
        let value = match kind {
            0 => a + b,
            1 => a - b,
            2 => [1, 2, 3, a][b as usize],
            3 => (b == 0).then_some(a).unwrap(),
            4 => a / b,
            5 => (wide_a * wide_a * wide_b) as u64,
            6 => ((a as i128 - b as i128) / 7) as u64,
            7 => u64::from(wide_a.checked_mul(wide_b).unwrap().checked_mul(1 << 40).is_none()),
            8 => (-(a as i128) % 1000) as u64,
            9 => (a as f64 / b as f64) as u64,
            10 => ((wide_a << (b & 127)) ^ ((wide_a << (b & 127)) >> 64)) as u64,
            11 => seven(a, b, 7, a, 13, 97, b) as u64,
            _ => panic!("no operation {kind}"),
        };
        anchor_lang::pinocchio::cpi::set_return_data(&value.to_le_bytes());
        Ok(())
    }
}

#[inline(never)]
fn seven(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u128 {
    let wide = u128::from;
    wide(a) * wide(b) / wide(c) + wide(d) * wide(e) % wide(f) + wide(g)
}

#[event_cpi]
#[derive(Accounts)]
pub struct Open {
    #[account(mut)]
    pub renter: Signer,
    #[account(init, payer = renter, seeds = [b"lease", renter.address().as_ref()], bump)]
    pub lease: Account<Lease>,
    pub mint: Account<Mint>,
    #[account(mut)]
    pub from: Account<TokenAccount>,
    #[account(init, payer = renter, seeds = [b"vault", lease.address().as_ref()], bump, token::mint = mint, token::authority = lease)]
    pub vault: Account<TokenAccount>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

#[event_cpi]
#[derive(Accounts)]
pub struct Refund {
    #[account(mut)]
    pub renter: Signer,
    #[account(mut, seeds = [b"lease", renter.address().as_ref()], bump)]
    pub lease: Account<Lease>,
    pub mint: Account<Mint>,
    #[account(mut)]
    pub to: Account<TokenAccount>,
    #[account(mut, seeds = [b"vault", lease.address().as_ref()], bump, token::mint = mint, token::authority = lease)]
    pub vault: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

#[derive(Accounts)]
pub struct Compute {
    pub renter: Signer,
}
