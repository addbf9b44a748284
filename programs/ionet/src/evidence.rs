//! Evidence that an interval was served: leaf 0 of its Merkle tree is the session key's signature over its challenge.
//! Hashes as in the client's `merkle` module.

use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::Instructions;

use crate::error::IonetError;
use crate::hash::sha256_parts;

const ED25519: Address = anchor_lang::address!("Ed25519SigVerify111111111111111111111111111");
const DOMAIN: &[u8] = b"ionet:challenge";
/// `u16::MAX` in the precompile's offsets: the data is in the same instruction.
const SAME: u16 = u16::MAX;

/// What the session key signs in `interval` of `lease`: `sha256("ionet:challenge" ‖ lease ‖ interval u64)`.
pub fn challenge(lease: &Address, interval: u32) -> [u8; 32] {
    sha256_parts(&[DOMAIN, lease.as_ref(), &u64::from(interval).to_le_bytes()])
}

/// The signature of `key` over `message` that the instruction just before this one verifies.
#[inline(never)]
pub fn verified_signature(sysvar: &UncheckedAccount, key: &Address, message: &[u8; 32]) -> Result<[u8; 64]> {
    let missing = IonetError::NoChallengeSignature;
    let instructions = Instructions::try_from(sysvar.account()).map_err(|_| missing)?;
    let previous = instructions.get_instruction_relative(-1).map_err(|_| IonetError::NoChallengeSignature)?;
    require!(*previous.get_program_id() == ED25519, IonetError::NoChallengeSignature);
    let data = previous.get_instruction_data();
    require!(data.first() == Some(&1), IonetError::NoChallengeSignature);
    let signature = part::<64>(data, 2, 4)?;
    let signer = part::<32>(data, 6, 8)?;
    let signed = part::<32>(data, 10, 14)?;
    let length_is_right = number(data, 12)? == 32;
    require!(length_is_right && signer == key.to_bytes() && signed == *message, IonetError::NoChallengeSignature);
    Ok(signature)
}

/// Bytes that the precompile's header places at the offset stored in `offset_at`, which must lie in its own data.
fn part<const N: usize>(data: &[u8], offset_at: usize, instruction_at: usize) -> Result<[u8; N]> {
    require!(number(data, instruction_at)? == SAME, IonetError::NoChallengeSignature);
    let offset = usize::from(number(data, offset_at)?);
    let bytes = data.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    bytes.copied().ok_or_else(|| IonetError::NoChallengeSignature.into())
}

fn number(data: &[u8], at: usize) -> Result<u16> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk::<2>());
    bytes.map(|bytes| u16::from_le_bytes(*bytes)).ok_or_else(|| IonetError::NoChallengeSignature.into())
}

/// Whether `signature` is leaf 0 under `root`. Leaf 0 is the leftmost on every level, so its siblings are all on the
/// right.
#[inline(never)]
pub fn opens(root: &[u8; 32], lease: &Address, interval: u32, signature: &[u8; 64], path: &[[u8; 32]]) -> bool {
    let task = sha256_parts(&[DOMAIN]);
    let result = sha256_parts(&[signature]);
    let index = 0u32.to_le_bytes();
    let leaf = sha256_parts(&[&[0], lease.as_ref(), &u64::from(interval).to_le_bytes(), &index, &task, &result]);
    path.iter().fold(leaf, |left, right| sha256_parts(&[&[1], &left, right])) == *root
}
