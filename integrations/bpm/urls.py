"""BPM's address, under `api/bpm/`."""

from django.urls import path

from integrations.bpm.callback import ApprovalsView

urlpatterns = [path("approvals", ApprovalsView.as_view(), name="bpm-approvals")]
