from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Registers the projectors and the keeper's intents with ``chain``."""

    name = "governance"
    verbose_name = "Governance"

    def ready(self) -> None:
        from governance.keeper import register_intent_kinds
        from governance.projectors import register_all

        register_all()
        register_intent_kinds()
