"""Addresses of the pages about proposals, delegates and moderation."""

from django.urls import URLPattern, URLResolver, path

from governance.api import auth_urls
from governance.views import (
    about,
    dashboard,
    delegates,
    discussion,
    feeds,
    governors,
    health,
    moderation,
    preview,
    proposal_detail,
    proposals,
    status,
    wizard,
)

app_name = "governance"
urlpatterns: list[URLPattern | URLResolver] = [
    *auth_urls.urlpatterns,
    path("", dashboard.dashboard, name="dashboard"),
    path("proposals/", proposals.proposal_list, name="proposal_list"),
    path("proposals/export.csv", proposals.proposal_export, name="proposal_export"),
    path("proposals/feed.atom", feeds.proposal_feed, name="proposal_feed"),
    path("proposals/new/", wizard.proposal_new, name="proposal_new"),
    path("proposals/new/facts.json", wizard.wizard_facts, name="wizard_facts"),
    path("proposals/new/text/", wizard.text_preview, name="wizard_text"),
    path("proposals/new/facts.json", wizard.wizard_facts, name="wizard_facts"),
    path("proposals/<int:number>/", proposal_detail.proposal_detail, name="proposal_detail"),
    path("proposals/<int:number>/live/", proposal_detail.proposal_live, name="proposal_live"),
    path("proposals/<int:number>/rail/", proposal_detail.proposal_rail, name="proposal_rail"),
    path("proposals/<int:number>/preview/", preview.proposal_preview, name="proposal_preview"),
    path(
        "proposals/<int:number>/preview/card/", preview.preview_card, name="proposal_preview_card"
    ),
    path("proposals/<int:number>/comments/", discussion.comment_post, name="comment_post"),
    path(
        "proposals/<int:number>/comments/<int:comment>/delete/",
        discussion.comment_delete_post,
        name="comment_delete",
    ),
    path("proposals/<int:number>/report/", discussion.report_post, name="report_post"),
    path("delegates/", delegates.delegate_list, name="delegate_list"),
    path("delegates/<str:address>/", delegates.delegate_detail, name="delegate_detail"),
    path("governors/", governors.governor_list, name="governor_list"),
    path("governors/<str:address>/", governors.governor_detail, name="governor_detail"),
    path(
        "governors/<str:address>/<str:proposal_id>/",
        governors.governor_proposal,
        name="governor_proposal",
    ),
    path("moderation/log/", moderation.moderation_log, name="moderation_log"),
    path("how-voting-works/", about.about_voting, name="about_voting"),
    path("status/strip", status.status_strip, name="status_strip"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
