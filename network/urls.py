from django.urls import URLPattern, path

from network.views import docs, energy, epochs, nodes, parameters, trust

app_name = "network"
urlpatterns: list[URLPattern] = [
    path("parameters/", parameters.parameter_list, name="parameter_list"),
    path("parameters/<str:name>/", parameters.parameter_detail, name="parameter_detail"),
    path("nodes/", nodes.node_list, name="node_list"),
    path("nodes/energy/method/", energy.energy_method, name="energy_method"),
    path("nodes/<str:node_id>/", nodes.node_detail, name="node_detail"),
    path("trust/", trust.trust, name="trust"),
    path("epochs/", epochs.epoch_list, name="epoch_list"),
    path("epochs/<int:number>/", epochs.epoch_detail, name="epoch_detail"),
    path("api/docs/", docs.api_docs, name="api_docs"),
    path("api/docs/explorer/", docs.ApiExplorerView.as_view(), name="api_explorer"),
]
