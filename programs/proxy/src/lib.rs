//! Passes any call on to another program, so that tests can call the network's from one. Never deployed. The first
//! account is the program to call; the others and the data are what it gets. Where this program's own address (seed
//! `proxy`) is among the accounts, it signs.

use pinocchio::cpi::{invoke_signed_with_slice, Seed, Signer};
use pinocchio::error::ProgramError;
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::{entrypoint, AccountView, Address, ProgramResult};
#[cfg(target_arch = "bpf")]
use solana_compiler_builtins as _;

entrypoint!(pass_on);

const SEED: &[u8] = b"proxy";

fn pass_on(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (target, rest) = accounts.split_first().ok_or(ProgramError::NotEnoughAccountKeys)?;
    let (own, bump) = Address::find_program_address(&[SEED], program);
    let metas: Vec<InstructionAccount> = rest
        .iter()
        .map(|account| {
            let signs = account.is_signer() || *account.address() == own;
            InstructionAccount::new(account.address(), account.is_writable(), signs)
        })
        .collect();
    let bump = [bump];
    let seeds = [Seed::from(SEED), Seed::from(&bump)];
    let call = InstructionView { program_id: target.address(), accounts: &metas, data };
    invoke_signed_with_slice(&call, rest, &[Signer::from(&seeds)])
}
