//! sha256 over several parts, by syscall on chain.

use crate::state::ProofEntry;

#[cfg(target_os = "solana")]
#[allow(unsafe_code)]
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0u8; 32];
    // SAFETY: `parts` is a slice of (pointer, length) pairs as the syscall wants them; it writes 32 bytes to `out`.
    unsafe {
        pinocchio::syscalls::sol_sha256(parts.as_ptr().cast(), parts.len() as u64, out.as_mut_ptr());
    }
    out
}

#[cfg(not(target_os = "solana"))]
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    anchor_lang::sha256(&parts.concat())
}

/// The next head of a lease's proof chain.
pub fn proof_head(head: &[u8; 32], proof: &ProofEntry) -> [u8; 32] {
    let ProofEntry { interval, served_secs, gpu_ms, root } = proof;
    sha256_parts(&[head, &interval.to_le_bytes(), &served_secs.to_le_bytes(), &gpu_ms.to_le_bytes(), root])
}
