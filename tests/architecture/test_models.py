"""Every model says who writes it, and staff can see every one."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models

OWN_APPS = ("chain", "network", "treasury", "governance")
MODELS = [model for app in OWN_APPS for model in apps.get_app_config(app).get_models()]


def name(model: type[models.Model]) -> str:
    return model._meta.label


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_model_has_a_docstring_of_its_own(model: type[models.Model]) -> None:
    text = (model.__dict__.get("__doc__") or "").strip()
    # Django writes "Name(field, field)" where there is none.
    assert text, "no docstring"
    assert not text.startswith(f"{model.__name__}("), "the docstring is Django's own"


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_model_says_who_writes_it(model: type[models.Model]) -> None:
    text = (model.__doc__ or "").lower()
    words = ("writ", "append", "made by", "kept by", "set by", "moved by", "submitted", "rebuilt")
    assert any(word in text for word in words), f"who writes {name(model)}? {text!r}"


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_model_is_in_the_admin(model: type[models.Model]) -> None:
    assert admin.site.is_registered(model), f"{name(model)} is not in the admin"


def test_there_are_models_to_look_at() -> None:
    assert len(MODELS) > 20
