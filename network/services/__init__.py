"""What changes the network's received tables. One module a topic, functions ``entity_verb``."""
