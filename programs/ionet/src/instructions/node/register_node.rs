#![allow(unused_variables)] // Anchor reads `#[instruction]` arguments in the seeds, rustc does not see it

use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::constants::MAX_PROCESSORS;
use crate::error::IonetError;
use crate::events::NodeRegistered;
use crate::state::{DeviceModel, Machine, Network, Node, NodeTerms, PAUSE_REGISTER_NODE};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
#[instruction(model_code: u16)]
pub struct RegisterNode {
    /// Owns the node and pays its rent.
    #[account(mut)]
    pub owner: Signer,
    /// The machine's own key; signs to show that it is held.
    pub device_key: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The device model.
    #[account(seeds = [DeviceModel::SEED, &model_code.to_le_bytes()], bump = model.bump)]
    pub model: Box<Account<DeviceModel>>,
    /// The node to be created.
    #[account(init, payer = owner, seeds = [Node::SEED, device_key.address().as_ref()], bump)]
    pub node: Box<Account<Node>>,
    /// IO.
    #[account(address = network.io_mint @ IonetError::WrongMint)]
    pub io_mint: Box<Account<Mint>>,
    /// Its stake vault, created with it.
    #[account(init, payer = owner, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump, token::mint = io_mint, token::authority = node)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// Owner and device key sign; the owner pays the rent.
pub fn handler(ctx: &mut Context<RegisterNode>, model_code: u16, processors: u8, terms: NodeTerms) -> Result<()> {
    ctx.accounts.network.check_not_paused(PAUSE_REGISTER_NODE)?;
    require!(ctx.accounts.model.enabled == 1, IonetError::ModelDisabled);
    require!((1..=MAX_PROCESSORS).contains(&processors), IonetError::BadProcessors);
    terms.validate()?;
    let now = clock::now()?;
    let (owner, device_key) = (*ctx.accounts.owner.address(), *ctx.accounts.device_key.address());
    let machine = Machine { owner, device_key, model: model_code, processors };
    let node = &mut ctx.accounts.node;
    ***node = Node::new(&machine, &terms, (ctx.bumps.node, ctx.bumps.stake_vault), now);
    let registered = NodeRegistered {
        node: *node.address(),
        seq: node.next_seq()?,
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
        terms_seq: node.terms_seq,
    };
    emit_event!(ctx, registered);
    Ok(())
}
