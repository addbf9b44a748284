//! The token instructions that the program sends. They are built on the stack: half the compute units of the
//! generic helpers, and plain SPL mints are the only ones admitted.

use anchor_lang::prelude::*;
use anchor_lang::{find_and_verify_program_address, unchecked_invoke_signed_fixed};
use anchor_spl::token::TokenAccount;
use pinocchio::instruction::InstructionAccount;

use crate::error::IonetError;

const TRANSFER: u8 = 3;
const MINT_TO: u8 = 7;
const BURN: u8 = 8;
const CLOSE_ACCOUNT: u8 = 9;

type Seeds<'a> = &'a [&'a [&'a [u8]]];

fn with_amount(tag: u8, amount: u64) -> [u8; 9] {
    let mut data = [tag; 9];
    data[1..].copy_from_slice(&amount.to_le_bytes());
    data
}

/// Sends one three-account instruction: two writable accounts and the authority that signs.
#[inline(never)]
fn invoke<'a>(
    first: CpiHandleMut<'a>,
    second: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    data: &[u8],
    seeds: Seeds<'a>,
) {
    let accounts = [
        InstructionAccount::writable(first.address()),
        InstructionAccount::writable(second.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let handles = [first.into(), second.into(), authority];
    unchecked_invoke_signed_fixed(&anchor_spl::token::ID, data, &accounts, &handles, seeds);
}

/// Moves `amount` between token accounts; nothing is sent for zero.
pub fn transfer<'a>(
    from: CpiHandleMut<'a>,
    to: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    amount: u64,
    seeds: Seeds<'a>,
) {
    if amount > 0 {
        invoke(from, to, authority, &with_amount(TRANSFER, amount), seeds);
    }
}

/// Proof that tokens were burned in this instruction. Only [`burn`] makes one, and nothing but the genesis supply can
/// be minted without one.
pub struct Burned(());

/// Mints against what was just burned.
pub fn mint_for<'a>(
    _burned: Burned,
    mint: CpiHandleMut<'a>,
    to: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    amount: u64,
    seeds: Seeds<'a>,
) {
    invoke(mint, to, authority, &with_amount(MINT_TO, amount), seeds);
}

/// Creates the associated account of `owner`, which must not exist yet; `payer` pays its rent.
pub fn create_associated<'a>(
    payer: CpiHandleMut<'a>,
    account: CpiHandleMut<'a>,
    owner: CpiHandle<'a>,
    mint: CpiHandle<'a>,
    system_program: CpiHandle<'a>,
    token_program: CpiHandle<'a>,
) {
    const CREATE: u8 = 0;
    let accounts = [
        InstructionAccount::writable_signer(payer.address()),
        InstructionAccount::writable(account.address()),
        InstructionAccount::readonly(owner.address()),
        InstructionAccount::readonly(mint.address()),
        InstructionAccount::readonly(system_program.address()),
        InstructionAccount::readonly(token_program.address()),
    ];
    let handles = [payer.into(), account.into(), owner, mint, system_program, token_program];
    unchecked_invoke_signed_fixed(&anchor_spl::associated_token::ID, &[CREATE], &accounts, &handles, &[]);
}

/// Mints the genesis supply; `init_network` can run only once.
pub fn mint_genesis<'a>(
    mint: CpiHandleMut<'a>,
    to: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    amount: u64,
    seeds: Seeds<'a>,
) {
    invoke(mint, to, authority, &with_amount(MINT_TO, amount), seeds);
}

/// Burns tokens of the authority; what it returns allows one mint.
pub fn burn<'a>(
    from: CpiHandleMut<'a>,
    mint: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    amount: u64,
    seeds: Seeds<'a>,
) -> Burned {
    invoke(from, mint, authority, &with_amount(BURN, amount), seeds);
    Burned(())
}

/// Closes an empty token account; its rent goes to `to`.
pub fn close<'a>(account: CpiHandleMut<'a>, to: CpiHandleMut<'a>, authority: CpiHandle<'a>, seeds: Seeds<'a>) {
    invoke(account, to, authority, &[CLOSE_ACCOUNT], seeds);
}

/// Refuses a token account of another mint or owner.
#[inline(never)]
pub fn check_token_account(account: &Account<TokenAccount>, owner: &Address, mint: &Address) -> Result<()> {
    require!(account.mint() == mint, IonetError::WrongTokenMint);
    require!(account.owner() == owner, IonetError::WrongTokenOwner);
    Ok(())
}

/// Refuses everything but the associated token account of `owner`, so that nobody who pushes a payment can scatter it.
/// Its present owner is not asked: who gives their account away still cannot block the end of a lease or a cluster.
#[inline(never)]
pub fn check_associated(account: &Account<TokenAccount>, owner: &Address, mint: &Address) -> Result<()> {
    check_associated_address(account.address(), owner, mint)
}

/// The runtime's own search for an address costs four times as much.
fn check_associated_address(address: &Address, owner: &Address, mint: &Address) -> Result<()> {
    let seeds: &[&[u8]] = &[owner.as_ref(), anchor_spl::token::ID.as_ref(), mint.as_ref()];
    find_and_verify_program_address(seeds, &anchor_spl::associated_token::ID, address)
        .map_err(|_| IonetError::NotAssociatedAccount)?;
    Ok(())
}

/// Whether `account`, which must be the associated account of `owner`, can receive tokens: it exists, is theirs and is
/// not frozen.
#[inline(never)]
pub fn check_recipient(account: &UncheckedAccount, owner: &Address, mint: &Address) -> Result<bool> {
    const OWNER: core::ops::Range<usize> = 32..64;
    const STATE: usize = 108;
    const INITIALIZED: u8 = 1;
    check_associated_address(account.address(), owner, mint)?;
    if !account.owned_by(&anchor_spl::token::ID) {
        return Ok(false);
    }
    let data = account.try_borrow().map_err(|_| IonetError::NotAssociatedAccount)?;
    let is_his = data.get(OWNER).is_some_and(|field| field == owner.as_ref());
    Ok(data.len() == TokenAccount::LEN && is_his && data.get(STATE) == Some(&INITIALIZED))
}
