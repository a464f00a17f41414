"""What a proposal does: reading its calls (``decode``), building them (``build``), and previewing
a whole proposal (``preview``). Import from the modules: ``decode`` must not load ``preview``."""
