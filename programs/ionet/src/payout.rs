//! Where a payment goes: to the recipient's associated account, and where that is missing, given away or frozen, to
//! their owed account, from which they claim it. So no recipient can block the end of a lease, a cluster or a stake. The
//! program's own vaults of fees and income are paid alike: the issuer of USDC can freeze any account.

use anchor_lang::find_and_verify_program_address;
use anchor_lang::prelude::*;
use anchor_spl::token::TokenAccount;

use crate::error::IonetError;
use crate::token;

pub const OWED_SEED: &[u8] = b"owed";

/// Who is to be paid in which mint, and the two accounts that may receive it.
pub struct Recipient<'a> {
    pub owner: Address,
    pub mint: Address,
    /// Must be at the address of the owner's associated account; need not exist.
    pub to: &'a mut UncheckedAccount,
    /// Read only when the associated account cannot receive.
    pub owed: Option<&'a mut Account<TokenAccount>>,
}

impl Recipient<'_> {
    /// Moves `amount` out of `from`; returns whether it went to the owed account. Nothing moves for zero, and then no
    /// owed account is asked for.
    #[inline(never)]
    pub fn pay(self, from: CpiHandleMut, authority: CpiHandle, amount: u64, seeds: &[&[&[u8]]]) -> Result<bool> {
        let healthy = token::check_recipient(self.to, &self.owner, &self.mint)?;
        if amount == 0 || healthy {
            token::transfer(from, self.to.cpi_handle_mut(), authority, amount, seeds);
            return Ok(false);
        }
        owe(&self.owner, &self.mint, self.owed, from, authority, amount, seeds)?;
        Ok(true)
    }
}

/// A vault of the program, whose address was checked, and the owed account of the account that signs for it.
pub struct Vault<'a> {
    /// The network or the node.
    pub owner: Address,
    pub mint: Address,
    pub to: &'a mut Account<TokenAccount>,
    /// Read only when the vault is frozen.
    pub owed: Option<&'a mut Account<TokenAccount>>,
}

impl Vault<'_> {
    /// As for a recipient.
    #[inline(never)]
    pub fn pay(self, from: CpiHandleMut, authority: CpiHandle, amount: u64, seeds: &[&[&[u8]]]) -> Result<bool> {
        if amount == 0 || !self.to.is_frozen() {
            token::transfer(from, self.to.cpi_handle_mut(), authority, amount, seeds);
            return Ok(false);
        }
        owe(&self.owner, &self.mint, self.owed, from, authority, amount, seeds)?;
        Ok(true)
    }
}

#[inline(never)]
fn owe(
    owner: &Address,
    mint: &Address,
    owed: Option<&mut Account<TokenAccount>>,
    from: CpiHandleMut,
    authority: CpiHandle,
    amount: u64,
    seeds: &[&[&[u8]]],
) -> Result<()> {
    let owed = owed.ok_or(IonetError::RecipientCannotReceive)?;
    let seeds_of_owed: &[&[u8]] = &[OWED_SEED, mint.as_ref(), owner.as_ref()];
    find_and_verify_program_address(seeds_of_owed, &crate::ID, owed.address())
        .map_err(|_| IonetError::WrongOwedAccount)?;
    token::transfer(from, owed.cpi_handle_mut(), authority, amount, seeds);
    Ok(())
}
