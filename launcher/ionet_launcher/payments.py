"""Whether a launcher that takes a fee has got it: what the cluster's opening transaction moved to the session key."""

from __future__ import annotations

from ionet.client import Client
from ionet.events import account_keys, events_in_transaction
from ionet.fuel import sol
from ionet.generated.events import ClusterOpened
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import EncodedConfirmedTransactionWithStatusMeta

from ionet_launcher.keeping import Work

# Clusters whose payment is remembered; another look at the chain costs one call.
_MOST_KNOWN = 8_192


class Payments:
    """fee: lamports for each node of a cluster. client: whose wallet is the session key."""

    def __init__(self, client: Client, fee: int) -> None:
        self._client, self._fee = client, fee
        self._known: dict[str, int] = {}

    async def lacking(self, work: Work, live: int) -> str | None:
        """Why the launcher does nothing for a cluster with that many live leases; None where it is paid for them.

        A transaction that opened several clusters pays for none: it would pay for each of them. Raises IonetError.
        """
        cluster = work.row.cluster
        if cluster not in self._known:
            signature = await work.opened_by()
            if signature is None:
                return "its opening is not indexed yet"
            answer = await self._client.rpc.landed_transaction(Signature.from_string(signature))
            while len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[cluster] = self._paid(answer, cluster)
        paid, wanted = self._known[cluster], self._fee * live
        return None if paid >= wanted else f"{sol(paid)} SOL were paid at its opening, {sol(wanted)} is the fee"

    def _paid(self, answer: EncodedConfirmedTransactionWithStatusMeta, cluster: str) -> int:
        """Lamports that the session key got."""
        meta, transaction = answer.transaction.meta, answer.transaction.transaction
        if meta is None or not isinstance(transaction, VersionedTransaction):
            return 0
        events = events_in_transaction(self._client.program.codec, answer)
        opened = [record.event for record in events if isinstance(record.event, ClusterOpened)]
        if [event.cluster for event in opened] != [Pubkey.from_string(cluster)]:
            return 0
        keys = account_keys(transaction.message, answer.transaction)
        if self._client.address not in keys:
            return 0
        at = keys.index(self._client.address)
        return max(meta.post_balances[at] - meta.pre_balances[at], 0)
