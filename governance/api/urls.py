"""Addresses of the governance API, below ``/api/v1/``."""

from django.urls import URLPattern, path

from governance.api import discussion, governors, proposing, reads, sending, status

urlpatterns: list[URLPattern] = [
    path("proposals/", reads.ProposalList.as_view(), name="api-proposals"),
    path("proposals/preview/", proposing.PreviewView.as_view(), name="api-proposal-preview"),
    path("proposals/<int:number>/", reads.ProposalDetail.as_view(), name="api-proposal"),
    path("proposals/<int:number>/votes/", reads.VoteList.as_view(), name="api-votes"),
    path("proposals/<int:number>/power/", reads.PowerView.as_view(), name="api-power"),
    path("proposals/<int:number>/comments/", discussion.CommentList.as_view(), name="api-comments"),
    path(
        "proposals/<int:number>/report/",
        discussion.ProposalReport.as_view(),
        name="api-proposal-report",
    ),
    path("comments/<int:comment_id>/", discussion.CommentDetail.as_view(), name="api-comment"),
    path(
        "comments/<int:comment_id>/report/",
        discussion.CommentReport.as_view(),
        name="api-comment-report",
    ),
    path("delegates/", reads.DelegateList.as_view(), name="api-delegates"),
    path("governors/", governors.GovernorList.as_view(), name="api-governors"),
    path("governors/<str:address>/", governors.GovernorDetail.as_view(), name="api-governor"),
    path(
        "governors/<str:address>/proposals/",
        governors.GovernorProposalList.as_view(),
        name="api-governor-proposals",
    ),
    path(
        "governors/<str:address>/proposals/<str:proposal_id>/",
        governors.GovernorProposalDetail.as_view(),
        name="api-governor-proposal",
    ),
    path(
        "governors/<str:address>/proposals/<str:proposal_id>/votes/",
        governors.GovernorVoteList.as_view(),
        name="api-governor-votes",
    ),
    path("drafts/", proposing.DraftList.as_view(), name="api-drafts"),
    path("drafts/<uuid:draft_id>/", proposing.DraftDetail.as_view(), name="api-draft"),
    path("transactions/", sending.TransactionList.as_view(), name="api-transactions"),
    path("transactions/simulate/", sending.SimulateView.as_view(), name="api-simulate"),
    path(
        "transactions/<str:transaction_hash>/",
        sending.TransactionDetail.as_view(),
        name="api-transaction",
    ),
    path("status/", status.StatusView.as_view(), name="api-status"),
    path("moderation/log/", reads.ModerationLog.as_view(), name="api-moderation-log"),
]
