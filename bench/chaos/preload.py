"""What the fork server loads once, so that every worker starts in milliseconds."""

import django

django.setup()
