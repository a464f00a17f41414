from django.urls import path

from treasury.api.views import BalanceList, TransferList

urlpatterns = [
    path("treasury/balances/", BalanceList.as_view(), name="api-treasury-balances"),
    path("treasury/transfers/", TransferList.as_view(), name="api-treasury-transfers"),
]
