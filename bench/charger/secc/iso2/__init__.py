"""ISO 15118-2:2014, server side: one function a request, in one table by request name.

A handler is `async handle(request, session, charger) -> response body | Reply`. It looks at nothing but its
arguments;
order of messages, session ids and time limits are the dispatcher's (`bench.charger.secc.dispatch`).
"""

from __future__ import annotations

from bench.charger.secc.iso2 import (
    ac,
    common,
    dc,
    delivery,
    metering,
    parameters,
    payment,
    provisioning,
    setup,
    stop,
)

Handler = common.Handler

HANDLERS: dict[str, Handler] = {
    "SessionSetupReq": setup.session_setup,
    "ServiceDiscoveryReq": setup.service_discovery,
    "ServiceDetailReq": setup.service_detail,
    "PaymentServiceSelectionReq": payment.payment_service_selection,
    "CertificateInstallationReq": provisioning.certificate_installation,
    "CertificateUpdateReq": provisioning.certificate_update,
    "PaymentDetailsReq": payment.payment_details,
    "AuthorizationReq": payment.authorization,
    "ChargeParameterDiscoveryReq": parameters.charge_parameter_discovery,
    "CableCheckReq": dc.cable_check,
    "PreChargeReq": dc.pre_charge,
    "PowerDeliveryReq": delivery.power_delivery,
    "CurrentDemandReq": dc.current_demand,
    "ChargingStatusReq": ac.charging_status,
    "MeteringReceiptReq": metering.metering_receipt,
    "WeldingDetectionReq": dc.welding_detection,
    "SessionStopReq": stop.session_stop,
}
