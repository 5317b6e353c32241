"""Workbooks of trials, as people fill them in."""

import io
import zipfile

import openpyxl

COLUMNS = {
    "OrderNum": "订单号",
    "EnterpriseID": "企业编号",
    "EnterpriseName": "企业名称",
    "ProdType": "产品类型",
    "BusinessType": "业务类型",
    "BillingMethod": "计费方式",
    "DataFlow": "订购流量",
    "BizStart": "业务开始日",
    "ProvContent": "域名",
    "BizEnd": "业务结束日",
    "OperTel": "经办人电话",
    "Attribution": "归属",
}
MEMBERS, TITLES = list(COLUMNS), list(COLUMNS.values())


def row(number="T1", **more):
    """A right row, in the order of MEMBERS; more: other values, None for an empty cell."""
    values = {
        "OrderNum": number,
        "EnterpriseID": "100A23100079275183",
        "EnterpriseName": "北京示例科技",
        "ProdType": "1",
        "BusinessType": "1",
        "BillingMethod": "1",
        "DataFlow": "1",
        "BizStart": "20230920",
        "ProvContent": f"{number.lower()}.example.com",
    } | more
    return [values.get(member) for member in MEMBERS]


def workbook(*rows, header=TITLES, change=None) -> bytes:
    """An xlsx file. `change(sheet)` does to its first sheet what else a test needs."""
    book = openpyxl.Workbook()
    for values in (header, *rows):
        book.active.append(values)
    if change:
        change(book.active)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def with_more(data: bytes, part: str, *, before: bytes, more: bytes) -> bytes:
    """The same file with more XML in one of its parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(before, more + before) if name == part else text)
    return buffer.getvalue()


def cells(data: bytes) -> dict[str, tuple]:
    """{`C5`: (value, comment)} of the first sheet's cells with a value or a comment."""
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    return {
        cell.coordinate: (cell.value, cell.comment.text if cell.comment else "")
        for line in sheet.iter_rows()
        for cell in line
        if cell.value is not None or cell.comment
    }
