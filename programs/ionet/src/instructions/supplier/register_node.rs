#![allow(unused_variables)] // Anchor reads `#[instruction]` arguments in the seeds, rustc does not see it

use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::constants::MAX_PROCESSORS;
use crate::error::IonetError;
use crate::events::NodeRegistered;
use crate::state::{DeviceModel, Network, Node, NodeTerms, PAUSE_REGISTER_NODE};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
#[instruction(model_code: u16)]
pub struct RegisterNode {
    #[account(mut)]
    pub owner: Signer,
    /// The machine's own key; signs to show that it is held.
    pub device_key: Signer,
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    #[account(seeds = [b"model", &model_code.to_le_bytes()], bump = model.bump)]
    pub model: Box<Account<DeviceModel>>,
    #[account(init, payer = owner, seeds = [b"node", device_key.address().as_ref()], bump)]
    pub node: Box<Account<Node>>,
    #[account(address = network.io_mint @ IonetError::WrongMint)]
    pub io_mint: Box<Account<Mint>>,
    #[account(init, payer = owner, seeds = [b"stake", node.address().as_ref()], bump, token::mint = io_mint, token::authority = node)]
    pub stake_vault: Box<Account<TokenAccount>>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

/// Registers a machine under its own key. Owner and device key sign; the owner pays the rent.
pub fn handler(ctx: &mut Context<RegisterNode>, model_code: u16, processors: u8, terms: NodeTerms) -> Result<()> {
    ctx.accounts.network.check_not_paused(PAUSE_REGISTER_NODE)?;
    require!(ctx.accounts.model.enabled == 1, IonetError::ModelDisabled);
    require!((1..=MAX_PROCESSORS).contains(&processors), IonetError::BadProcessors);
    let now = clock::now()?;
    let owner = *ctx.accounts.owner.address();
    let device_key = *ctx.accounts.device_key.address();
    let (bump, vault_bump) = (ctx.bumps.node, ctx.bumps.stake_vault);

    let node = &mut ctx.accounts.node;
    node.owner = owner;
    node.first_device_key = device_key;
    node.device_key = device_key;
    node.model = model_code;
    node.processors = processors;
    node.registered_at = now;
    node.bump = bump;
    node.stake_vault_bump = vault_bump;
    node.version = Node::VERSION;
    node.set_terms(&terms)?;
    let seq = node.next_seq()?;
    let terms_seq = node.terms_seq;
    emit_event!(
        ctx,
        NodeRegistered {
            node: *ctx.accounts.node.address(),
            seq,
            at: now,
            owner,
            device_key,
            model: model_code,
            processors,
            payout: terms.payout,
            fee_payer: terms.fee_payer,
            price: terms.price,
            min_duration: terms.min_duration,
            max_duration: terms.max_duration,
            min_coverage_bps: terms.min_coverage_bps,
            country: terms.country,
            region: terms.region,
            currencies: terms.currencies,
            terms_seq,
        }
    );
    Ok(())
}
