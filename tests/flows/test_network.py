"""One side does not accept the other side's certificate. The step says so and waits, and goes out once the certificate
is right."""

import pytest

from integrations.delivery.circuit_breaker import open_partners
from orders.models import Attempt, BillingRecord, Dispatch
from orders.texts.incident_texts import cause_of
from tests.flows.contents import trial
from tests.partners.certificates import Authority


@pytest.mark.filterwarnings("ignore:System time is way off")  # the desk's clock stays in 2023
def test_without_our_certificate_nothing_counts_as_done(desk, settings, tmp_path):
    settings.BREAKER_FAILURES, settings.DISPATCH_RETRY_SECONDS = 4, [1, 1, 1]
    authority = Authority(tmp_path)
    settings.PARTNER_CA_BUNDLE = authority.bundle
    with authority.partner(authority.issue("127.0.0.1")) as partner:
        settings.BIGDATA_BASE_URL = partner.bigdata_url
        for number in range(4):
            desk.post(trial(f"T{number}", f"t{number}.example.com"))
        desk.deliver()
        steps = Dispatch.objects.filter(channel="billing")
        assert set(steps.values_list("state", "error_code")) == {("retrying", "tls")}
        assert set(Attempt.objects.filter(dispatch__in=steps).values_list("outcome", flat=True)) == {"retry"}
        assert set(BillingRecord.objects.values_list("state", flat=True)) == {"to_send"}
        assert "证书" in str(cause_of("tls").what)
        assert (open_partners(), partner.calls()) == ({"bigdata"}, [])

        certificate = authority.issue("ibs.example.com")
        settings.PARTNER_CLIENT_CERT = (certificate, certificate)
        for _ in range(2):
            desk.deliver(after=60)
        assert open_partners() == set()
        assert {desk.order(f"T{number}").state for number in range(4)} == {"trialing"}
        assert len(partner.state()["records"]) == 4
