"""Makes workbooks of trials as people fill them in."""

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
    """Returns a valid row, in the order of MEMBERS. `more` gives other values; None leaves a cell empty."""
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
    """Returns an xlsx file with these rows. A test can change its first sheet further by `change(sheet)`."""
    book = openpyxl.Workbook()
    for values in (header, *rows):
        book.active.append(values)
    if change:
        change(book.active)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def with_more(data: bytes, part: str, *, before: bytes, more: bytes) -> bytes:
    """Returns the same file with more XML in one of its parts, before the text `before`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(before, more + before) if name == part else text)
    return buffer.getvalue()


def cells(data: bytes) -> dict[str, tuple]:
    """Returns {`C5`: (value, comment)} for the cells of the first sheet that have a value or a comment."""
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    return {
        cell.coordinate: (cell.value, cell.comment.text if cell.comment else "")
        for line in sheet.iter_rows()
        for cell in line
        if cell.value is not None or cell.comment
    }
