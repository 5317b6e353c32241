"""Short contents of BBOSS's messages: a trial, its changes, activations, withdrawals (contract 2.4)."""


def domains(*names: str) -> list[dict]:
    return [{"ProvReq": name} for name in names]


def trial(number: str = "T1", *names: str, **more) -> dict:
    """Returns a trial of `a.example.com`, unless other domains are given."""
    return {
        "OrderType": "1",
        "OrderNum": number,
        "EnterpriseID": "100A23100079275183",
        "EnterpriseName": "北京示例科技",
        "CpID": "80171614",
        "UserID": "1458",
        "OperUser": "张三",
        "OperTel": "13800000000",
        "OperMail": "43",
        "ProdType": "1",
        "BusinessType": "1",
        "BillingMethod": "1",
        "DataFlow": "1",
        "BizStart": "20230920",
        "ProvContent": domains(*(names or ("a.example.com",))),
    } | more


def change(number: str, *names: str, of: str = "T1", **more) -> dict:
    """Returns a change of a trial. If no domains are given, `more` must change something else."""
    content = {"OrderType": "2", "OrderNum": number, "BizRequest": of} | more
    return content | {"ProvContent": domains(*names)} if names else content


def activation(number: str = "A1", *names: str, of: str = "T1", start: str = "20230920", **more) -> dict:
    """Returns an activation that starts today. If no domains are given, the desk uses the trial's domains."""
    content = {
        "OrderNum": number,
        "BizRequest": of,
        "BizStart": start,
        "ProdType": "1",
        "ProductID": f"P-{number}",
        "BusinessType": "1",
        "BillingMethod": "1",
        "DataFlow": "1",
        "BackFlag": "0",
    } | more
    return content | {"ProvContent": domains(*names)} if names else content


def withdrawal(number: str, **more) -> dict:
    return {"OrderNum": number, "BackFlag": "1"} | more
