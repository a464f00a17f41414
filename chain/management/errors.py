"""How the commands end when something is wrong: one coded sentence, and what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn, UndefinedTable

from chain.deployment import DeploymentInvalid
from chain.doctor import ChainSetupError, deployment_problem, node_problem
from chain.indexer.commit import ChainMismatch
from chain.indexer.follow import database_sentence
from chain.rpc.errors import RpcError


@contextmanager
def coded_errors() -> Iterator[None]:
    """Turn what can be wrong with the set-up into a CommandError that names the next step."""
    try:
        yield
    except ChainSetupError as error:
        raise CommandError(str(error)) from error
    except RpcError as error:
        raise CommandError(str(node_problem(error))) from error
    except DeploymentInvalid as error:
        raise CommandError(str(deployment_problem(error))) from error
    except (OperationalError, InterfaceError) as error:
        raise CommandError(database_sentence(error)) from error
    except ProgrammingError as error:
        if not isinstance(error.__cause__, UndefinedTable | UndefinedColumn):
            raise
        raise CommandError(
            "The database has not the tables of this version (database_not_migrated). "
            "Run `manage.py migrate`."
        ) from error
    except ChainMismatch as error:
        raise CommandError(f"{error} ({error.code}) Correct RPC_URL or CHAIN_ID.") from error
