//! Stands in for the Pyth receiver on local chains: anyone posts a price, signed, and it lands in the bytes
//! the real receiver writes. It lives at the receiver's own address, so a program that reads Pyth prices needs
//! no test door. It is never deployed where the real receiver exists.

// Anchor's generated exit code reads the instruction's arguments again and does not use them.
#![allow(unused_variables)]

use anchor_lang::prelude::*;
#[cfg(target_arch = "bpf")]
use solana_compiler_builtins as _;

declare_id!("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ");

/// What the real receiver allocates: room for the longer verification level. With `Full` the last byte is unused.
pub const PRICE_UPDATE_LEN: usize = 134;

#[program]
pub mod price_poster {
    use super::*;

    /// Creates or overwrites the authority's price account of one feed. `partial_signatures` 0 means fully verified.
    #[allow(clippy::too_many_arguments)]
    pub fn post_price(
        ctx: &mut Context<PostPrice>,
        feed_id: [u8; 32],
        price: i64,
        conf: u64,
        exponent: i32,
        publish_time: i64,
        ema_price: i64,
        ema_conf: u64,
        partial_signatures: u8,
    ) -> Result<()> {
        let authority = *ctx.accounts.authority.address();
        let posted_slot = Clock::get()?.slot;
        let update = &mut ctx.accounts.price_update;
        // A fresh account is all zeros, so the first post reports a previous publish time of 0.
        let prev_publish_time = update.price_message.publish_time;
        update.write_authority = authority;
        update.verification_level = match partial_signatures {
            0 => VerificationLevel::Full,
            num_signatures => VerificationLevel::Partial { num_signatures },
        };
        update.price_message =
            PriceFeedMessage { feed_id, price, conf, exponent, publish_time, prev_publish_time, ema_price, ema_conf };
        update.posted_slot = posted_slot;
        Ok(())
    }
}

#[derive(Accounts)]
#[instruction(feed_id: [u8; 32])]
pub struct PostPrice {
    /// Signs, pays, and owns the price account.
    #[account(mut)]
    pub authority: Signer,
    #[account(
        init_if_needed,
        payer = authority,
        space = PRICE_UPDATE_LEN,
        seeds = [b"price", authority.address().as_ref(), feed_id.as_ref()],
        bump
    )]
    pub price_update: BorshAccount<PriceUpdateV2>,
    pub system_program: Program<System>,
}

/// A posted price, in the order of the receiver's own account.
#[account(borsh)]
pub struct PriceUpdateV2 {
    pub write_authority: Address,
    pub verification_level: VerificationLevel,
    pub price_message: PriceFeedMessage,
    pub posted_slot: u64,
}

/// How many guardians' signatures were checked.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub enum VerificationLevel {
    Partial { num_signatures: u8 },
    Full,
}

/// Price, confidence and their moving averages, scaled by ten to the exponent; times in unix seconds.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct PriceFeedMessage {
    pub feed_id: [u8; 32],
    pub price: i64,
    pub conf: u64,
    pub exponent: i32,
    pub publish_time: i64,
    pub prev_publish_time: i64,
    pub ema_price: i64,
    pub ema_conf: u64,
}
