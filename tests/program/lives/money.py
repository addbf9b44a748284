"""Budgets in three currencies, IOSD, prices; recipients who cannot receive, tokens sent where nobody expects them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule
from ionet.generated import pdas
from program import calls, currencies, staking
from program.calls import ID, IO, NETWORK, USD, ata
from program.chain import TOKEN_PROGRAM, who
from program.lives.base import MOST_CLUSTERS, amounts, picks
from program.lives.leases import Leases
from program.world import IO_UNIT
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import freeze_account, thaw_account
from spl.token.models import FreezeAccountParams, ThawAccountParams


class Money(Leases):
    @rule(pick=picks, name=st.sampled_from(["mint", "exact", "open", "open", "take_back", "close"]), amount=amounts)
    def spend(self, pick: int, name: str, amount: int) -> None:
        renter, mint = self.renters[pick % 3], self.mints[pick // 3 % 3]
        if name == "mint":
            price = 1_000_000 * (1 + pick)
            self.world.post_price(price, conf=price // 200)
            self.attempt(calls.mint_iosd(renter, self.world.oracle, amount))
        elif name == "exact":
            self.attempt(currencies.mint_iosd_exact(renter, self.world.oracle, min(amount, 10**16)))
        elif name == "open" and len(self.books.open_clusters) < MOST_CLUSTERS:
            self.open(renter, mint, amount)
        elif name == "take_back":
            cluster = self.cluster(pick)
            call = calls.withdraw_budget(cluster, amount)
            self.attempt(currencies.paid_in(self.mint_of(cluster), call, cluster.renter))
        else:
            self.close(self.cluster(pick), signed=pick % 2 == 0, prepared=pick % 4 > 0)

    @rule(pick=picks, name=st.sampled_from(["redeem", "redeem", "last", "refresh", "buyback"]), amount=amounts)
    def trade(self, pick: int, name: str, amount: int) -> None:
        world, wallet, amount = self.world, self.anyone(pick), min(amount, 10**16)
        if name == "last":
            if pick % 3 == 0:
                world.warp(self.params.last_rate_after_secs)
            self.attempt(currencies.redeem_iosd(wallet, None, amount))
            return
        price = 3 * IO_UNIT + pick * 100_000
        world.post_price(price, conf=price // 300 if pick % 2 else 0)
        if name == "redeem":
            self.attempt(currencies.redeem_iosd(wallet, world.oracle, amount))
        elif name == "refresh":
            self.attempt(currencies.refresh_price(world.oracle))
        else:
            self.attempt(currencies.buyback(world, wallet, world.oracle, amount))

    @rule(
        pick=picks,
        by=picks,
        amount=st.integers(1, 10**6),
        what=st.sampled_from(["burn", "donate", "restart", "collect"]),
    )
    def odd(self, pick: int, by: int, amount: int, what: str) -> None:
        """Somebody burns what is to be burned, sends tokens straight into a vault, or the chain was restarted."""
        if what == "burn":
            self.attempt(calls.burn((IO, USD)[pick % 2]))
        elif what == "restart":
            self.world.svm.set_last_restart_slot(self.world.slot - 1)
        elif what == "collect":
            self.collect(pick, by)
        else:
            to, mint = self.vault(pick)
            giver = self.anyone(by)
            if self.world.exists(to) and self.can_send(giver, mint, amount):
                self.world.move(giver, to, mint, amount)
                self.books.transfer(ata(giver, mint), to, amount)

    def collect(self, pick: int, by: int) -> None:
        """An owed account of the network or of a node, which only a frozen vault would need: what is sent to it goes
        into the vault."""
        mint, node = self.mints[pick % 3], self.node(pick) if by % 2 else None
        owner = node.key if node else NETWORK
        self.attempt(staking.open_owed(self.world.stranger, owner, mint))
        owed, giver = pdas.owed(ID, mint, owner), self.anyone(by)
        if self.can_send(giver, mint, 1) and self.world.exists(owed):
            self.world.move(giver, owed, mint, 1)
            self.books.transfer(ata(giver, mint), owed, 1)
        amount = self.world.tokens(owed)
        vault = pdas.income_vault(ID, node.key, mint) if node else pdas.fee_vault(ID, mint)
        if self.attempt(staking.collect_owed(self.world.stranger, mint, node)):
            self.books.transfer(owed, vault, amount)

    def vault(self, pick: int) -> tuple[Pubkey, Pubkey]:
        """A vault of the program's and its mint."""
        mint, cluster = self.mints[pick // 4 % 3], self.cluster(pick)
        return [
            (cluster.escrow, self.mint_of(cluster)),
            (self.node(pick).vault, IO),
            (pdas.fee_vault(ID, self.world.usdc), self.world.usdc),
            (pdas.burn_vault(ID, (IO, USD)[pick % 2]), (IO, USD)[pick % 2]),
            (pdas.owed(ID, mint, self.anyone(pick).pubkey()), mint),
        ][pick % 5]

    def can_send(self, giver: Keypair, mint: Pubkey, amount: int) -> bool:
        return self.can_receive(giver.pubkey(), mint) and self.world.tokens(ata(giver, mint)) >= amount

    # -- recipients who cannot receive

    @rule(pick=picks, mint=st.integers(0, 2), how=st.sampled_from(["give away", "freeze", "close"]))
    def block(self, pick: int, mint: int, how: str) -> None:
        """A wallet gives its account away or closes it, or the issuer of USDC freezes it; or all that is undone."""
        wallet, key = self.anyone(pick), self.mints[mint]
        if not self.can_receive(wallet.pubkey(), key):
            self.unblock(wallet, key)
        elif how == "give away":
            self.world.give_account(wallet, ata(wallet, key), who("taker").pubkey())
        elif how == "freeze":
            self.freeze(wallet, self.world.usdc)
        elif self.world.tokens(ata(wallet, key)) == 0:
            before = self.world.lamports(wallet.pubkey())
            self.world.close_ata(wallet, key)
            self.got_rent(wallet, self.world.lamports(wallet.pubkey()) - before)

    def freeze(self, wallet: Keypair, mint: Pubkey) -> None:
        if not self.can_receive(wallet.pubkey(), mint):
            return
        authority = self.world.authority
        params = FreezeAccountParams(
            program_id=TOKEN_PROGRAM, account=ata(wallet, mint), mint=mint, authority=authority.pubkey()
        )
        self.world.send([freeze_account(params)], [authority])

    def unblock(self, wallet: Keypair, mint: Pubkey) -> None:
        """The wallet can receive again."""
        key = ata(wallet, mint)
        if not self.world.exists(key):
            self.world.open_ata(wallet, mint)
        data = self.world.raw(key).data
        if data[108] == 2:
            authority = self.world.authority
            params = ThawAccountParams(program_id=TOKEN_PROGRAM, account=key, mint=mint, authority=authority.pubkey())
            self.world.send([thaw_account(params)], [authority])
        if data[32:64] != bytes(wallet.pubkey()):
            self.world.give_account(who("taker"), key, wallet.pubkey())
        assert self.can_receive(wallet.pubkey(), mint)

    @rule(pick=picks, mint=st.integers(0, 2), opened=st.booleans())
    def owed(self, pick: int, mint: int, opened: bool) -> None:
        """An owed account is opened by anyone, or claimed by its owner, also after a while without a use."""
        wallet, key = self.anyone(pick), self.mints[mint]
        if opened:
            self.attempt(staking.open_owed(self.world.stranger, wallet.pubkey(), key))
        else:
            self.claim_owed(wallet, key)

    def claim_owed(self, wallet: Keypair, mint: Pubkey) -> bool:
        """To the wallet's associated account, or to another one of theirs when that cannot receive."""
        to = ata(wallet, mint)
        if not self.can_receive(wallet.pubkey(), mint):
            name = f"spare {wallet.pubkey()} {mint}"
            to = who(f"token account {name}").pubkey()
            if not self.world.exists(to):
                self.world.token_account(name, wallet.pubkey(), mint)
        owed = pdas.owed(ID, mint, wallet.pubkey())
        amount, before = self.world.tokens(owed), self.world.lamports(wallet.pubkey())
        if not self.attempt(staking.claim_owed(wallet, mint, to)):
            return False
        self.books.transfer(owed, to, amount)
        self.got_rent(wallet, self.world.lamports(wallet.pubkey()) - before)
        return True

    def got_rent(self, wallet: Keypair, lamports: int) -> None:
        """Rent that somebody else had paid."""
        if wallet in self.lamports:
            self.lamports[wallet] += lamports

    # -- the price of another feed

    @rule(pick=picks)
    def other_feed(self, pick: int) -> None:
        """A price that is not of the network's feed is not a price, whoever shows it."""
        instruction = calls.post_price(self.thief, self.world.now, IO_UNIT * 10**4, feed_id=bytes(32))
        self.world.send([instruction], [self.world.payer, self.thief])
        key = instruction.accounts[1].pubkey
        call = calls.mint_iosd(self.renters[pick % 3], self.world.oracle, IO_UNIT).swapped(price_update=key)
        assert not self.attempt(call)
