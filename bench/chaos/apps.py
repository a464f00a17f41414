"""Registers the payments that the sender's faults are tried on."""

from django.apps import AppConfig

#: Sends whatever its preflight would say: the outbox alone must keep it to one effect.
PAY = "chaos.pay"
#: Asks the chain before it signs, as every real kind does.
PAY_CHECKED = "chaos.pay_checked"


class ChaosConfig(AppConfig):
    """The harness inside of a process of the service."""

    name = "bench.chaos"
    label = "chaos"

    def ready(self) -> None:
        from chain.client import chain_call
        from chain.models import TxIntent
        from chain.outbox import AlreadyDone, Go, intent_kind_register

        def checked(intent: TxIntent) -> Go | AlreadyDone:
            recipient = bytes(intent.data[16:36])
            if chain_call("AlthingToken", "balanceOf", (recipient,)):
                return AlreadyDone("The recipient has it.")
            return Go()

        calls = (("AlthingToken", "transfer"),)
        intent_kind_register(name=PAY, preflight=lambda intent: Go(), calls=calls)
        intent_kind_register(name=PAY_CHECKED, preflight=checked, calls=calls)
