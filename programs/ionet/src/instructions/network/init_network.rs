use anchor_lang::prelude::*;
use anchor_spl::associated_token::AssociatedToken;
use anchor_spl::mint;
use anchor_spl::token::{Mint, Token};

use crate::constants::{IO_DECIMALS, IO_GENESIS, USD_DECIMALS};
use crate::error::IonetError;
use crate::events::NetworkInitialized;
use crate::state::{InitNetworkArgs, Iosd, Mints, Network};
use crate::{clock, emit_event, token};

/// The upgradeable loader, which owns this program's ProgramData.
const LOADER: Address = anchor_lang::address!("BPFLoaderUpgradeab1e11111111111111111111111");
/// ProgramData: tag u32 = 3, deployment slot u64, upgrade authority as an option (tag u8, key).
const PROGRAM_DATA_TAG: [u8; 4] = [3, 0, 0, 0];
const AUTHORITY_TAG: usize = 12;

#[event_cpi]
#[derive(Accounts)]
pub struct InitNetwork {
    /// The program's upgrade authority; becomes the network authority.
    #[account(mut, unsafe(dup))]
    pub authority: Signer,
    /// CHECK: this program's ProgramData; owner, address and authority are checked in the handler.
    pub program_data: UncheckedAccount,
    /// The network to be created.
    #[account(init, payer = authority, seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The books of IOSD, created with it.
    #[account(init, payer = authority, seeds = [b"iosd"], bump)]
    pub iosd: Box<Account<Iosd>>,
    /// IO, created with it.
    #[account(init, payer = authority, seeds = [b"io_mint"], bump, mint::decimals = IO_DECIMALS, mint::authority = network)]
    pub io_mint: Box<Account<Mint>>,
    /// IOSD, created with it.
    #[account(init, payer = authority, seeds = [b"iosd_mint"], bump, mint::decimals = USD_DECIMALS, mint::authority = network)]
    pub iosd_mint: Box<Account<Mint>>,
    /// USDC, with six decimals.
    pub usdc_mint: Box<Account<Mint>>,
    /// CHECK: any wallet, the authority's too; receives the genesis supply.
    pub genesis_owner: UncheckedAccount,
    /// CHECK: the owner's associated account; its program creates it, and refuses any other.
    #[account(mut)]
    pub genesis_account: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates the genesis account.
    pub associated_token_program: Program<AssociatedToken>,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// The genesis supply goes to the associated account of a named wallet; no IO can be minted so again.
pub fn handler(ctx: &mut Context<InitNetwork>, args: InitNetworkArgs) -> Result<()> {
    check_upgrade_authority(&ctx.accounts.program_data, ctx.accounts.authority.address(), ctx.program_id)?;
    require!(ctx.accounts.usdc_mint.decimals() == USD_DECIMALS, IonetError::BadMint);
    require!(args.feed_id != [0; 32], IonetError::ZeroHash);
    let now = clock::now()?;
    let authority = *ctx.accounts.authority.address();
    let mints = Mints {
        io: *ctx.accounts.io_mint.address(),
        iosd: *ctx.accounts.iosd_mint.address(),
        usdc: *ctx.accounts.usdc_mint.address(),
    };
    let bump = ctx.bumps.network;
    **ctx.accounts.network = Network::new(authority, &mints, &args, bump)?;
    **ctx.accounts.iosd = Iosd::new(ctx.bumps.iosd);

    let accounts = &mut ctx.accounts;
    token::create_associated(
        accounts.authority.cpi_handle_mut(),
        accounts.genesis_account.cpi_handle_mut(),
        accounts.genesis_owner.cpi_handle(),
        accounts.io_mint.cpi_handle(),
        accounts.system_program.cpi_handle(),
        accounts.token_program.cpi_handle(),
    );
    token::mint_genesis(
        ctx.accounts.io_mint.cpi_handle_mut(),
        ctx.accounts.genesis_account.cpi_handle_mut(),
        ctx.accounts.network.cpi_handle(),
        IO_GENESIS,
        &[&[Network::SEED, &[bump]]],
    );
    let initialized = NetworkInitialized {
        network: *ctx.accounts.network.address(),
        seq: 1,
        at: now,
        authority,
        pauser: args.pauser,
        arbiter: args.arbiter,
        io_mint: mints.io,
        iosd_mint: mints.iosd,
        usdc_mint: mints.usdc,
        feed_id: args.feed_id,
        genesis_owner: *ctx.accounts.genesis_owner.address(),
        genesis_amount: IO_GENESIS,
        profile: args.profile,
    };
    emit_event!(ctx, initialized);
    Ok(())
}

fn check_upgrade_authority(program_data: &UncheckedAccount, authority: &Address, program: &Address) -> Result<()> {
    let (expected, _) = Address::find_program_address(&[program.as_ref()], &LOADER);
    require!(*program_data.address() == expected && program_data.owned_by(&LOADER), IonetError::WrongProgramData);
    let data = program_data.try_borrow().map_err(|_| IonetError::WrongProgramData)?;
    require!(data.starts_with(&PROGRAM_DATA_TAG), IonetError::WrongProgramData);
    let held = data.get(AUTHORITY_TAG..).and_then(|rest| rest.split_first()).ok_or(IonetError::WrongProgramData)?;
    require!(*held.0 == 1 && held.1.starts_with(authority.as_ref()), IonetError::NotUpgradeAuthority);
    Ok(())
}
