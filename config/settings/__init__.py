"""Settings: ``base`` holds everything; ``local``, ``production`` and ``test`` say what differs."""
