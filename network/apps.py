from django.apps import AppConfig


class NetworkConfig(AppConfig):
    """Parameters, nodes and what the nodes prove. Knows the chain and no other app."""

    name = "network"
    verbose_name = "Network"

    def ready(self) -> None:
        # Here and not at the top: models cannot be imported before the apps are ready.
        from chain.projections import register_projector
        from network import projectors
        from network.services import epochs_anchor, suspension_preflight

        register_projector(projectors.ParametersProjector())
        register_projector(projectors.ParameterSetsProjector())
        register_projector(projectors.NodesProjector())
        register_projector(projectors.CasesProjector())
        register_projector(projectors.LedgerProjector())
        epochs_anchor.register_intent_kinds()
        suspension_preflight.register_intent_kinds()
