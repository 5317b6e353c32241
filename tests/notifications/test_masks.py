"""The mask of running text: what it hides in whatever spelling, and what must stay readable."""

import json
import re
import uuid
from pathlib import Path

import pytest

from notifications.masks import BYTES_SHOWN, head, mask_mail, mask_phone, mask_text
from project.base.logs import redact

ROOT = Path(__file__).parents[2]
MOBILES = [
    "13712345678", "+8613712345678", "8613712345678", "008613712345678", "137-1234-5678", "137 1234 5678",
    "137 12345678",
    "1371234-5678", "1371 234 5678", "137 - 1234 - 5678", "+86 137 1234 5678", "+86-137-1234-5678",
    "0086 13712345678",
    "86 137 1234 5678", "１３７１２３４５６７８", "１３７－１２３４－５６７８",
    "＋８６　１３７１２３４５６７８", "137–1234–5678",
    "137\u20111234\u20115678", "137\u00a01234\u00a05678", "137\u200b1234\u200b5678", "𝟏𝟑𝟕𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
]  # fmt: skip
OTHERS = {
    "010***78": [
        "010-62345678",
        "01062345678",
        "010 6234 5678",
        "(010)62345678",
        "(010) 6234-5678",
        "（010）62345678",
        "０１０－６２３４５６７８",
    ],
    "021***34": ["021 5888 1234", "021-58881234"],
    "075***78": ["0755-12345678", "075512345678", "(0755)12345678"],
    "037***67": ["0371-1234567", "03711234567"],
    "106***78": ["+86 10 6234 5678", "+861062345678", "86-10-62345678", "0086-10-62345678", "+86 (0)10 62345678"],
    "400***67": ["400-123-4567", "400 123 4567", "4001234567", "400-1234-567", "４００－１２３－４５６７"],
    "110***38": ["110101199003070038", "110101 19900307 0038", "１１０１０１１９９００３０７００３８"],
    "110***3X": ["11010119900307803X", "11010119900307803x", "11010119900307803Ｘ"],
    "310***11": ["310101800101011"],
    "o***@secret.example.com": ["ops@secret.example.com", "ｏｐｓ@secret.example.com"],
    "张***@secret.example.com": ["张三@secret.example.com"],
    "o***＠secret.example.com": ["ops＠secret.example.com"],
    "j***@example.de": ["jürgen@example.de"],
    "o***@秘密.中国": ["ops@秘密.中国", "o.p_s+x@秘密.中国"],
    "1***@139.com": ["13712345678@139.com"],
}
HIDDEN = [(text, "137***78") for text in MOBILES] + [(text, told) for told, texts in OTHERS.items() for text in texts]
AROUND = ["{}", "请回电 {}，谢谢", "电话：{}。", "<{}>", '"{}"', "a: {}\n", "x;{};y"]


@pytest.mark.parametrize("text, told", HIDDEN)
def test_they_are_hidden_however_they_are_written(text, told):
    for around in AROUND:
        assert mask_text(around.format(text)) == around.format(told)


def test_a_line_belongs_to_the_word_of_an_address():
    assert mask_text("客户_13712345678_备注") == "客户_137***78_备注"
    assert mask_text("客户_ops@example.com") == "客***@example.com"


@pytest.mark.parametrize("text", [*MOBILES, "010-62345678", "110101199003070038", "400-123-4567"])
def test_chinese_has_no_blanks(text):
    assert text not in mask_text(f"电话{text}请回电")
    assert mask_text(f"电话{text}请回电").startswith("电话")


def test_what_is_beside_a_mail_stays():
    assert mask_text("不同意ops@example.com请改") == "不同意o***@example.com请改"
    assert mask_text("a@b.cn请ops@example.com") == "a***@b.cn请o***@example.com"


@pytest.mark.parametrize(
    "text", ["13712345678.xlsx", "试用-13712345678.csv", "call 13712345678. Thanks", "/orders/13712345678/"]
)
def test_a_phone_in_a_name_of_a_file_or_a_sentence(text):
    assert "12345678" not in mask_text(text)


def numbers_of_the_cases():
    """Returns every text of the acceptance cases that contains a digit and is not a person's phone or mail."""

    def texts(value, key=""):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from texts(inner, name)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner, key)
        elif isinstance(value, str | int) and "Tel" not in key and "Mail" not in key:
            yield str(value)

    found = {
        text
        for case in sorted((ROOT / "tests" / "cases").glob("*.json"))
        for text in texts(json.loads(case.read_text()))
        if re.search("[0-9]", text)
        and "Tel" not in text
        and "Mail" not in text
        and not re.fullmatch("1[3-9][0-9]{9}", text)
    }
    assert len(found) > 50
    return sorted(found)


READABLE = [
    # times
    "20230920185436", "2023-09-20 18:54:36", "2023-09-20T18:54:36+08:00", "20230920-185436", "1764204000",
    "1764204000123",
    # ids: products, enterprises, orders
    "61000616304", "50004020027", "100A23100079275183", "100231000792751830", "100A230920170126001",
    "230920170126001",
    "202309201701260", "100230920170127", "100230920170126001", "210230920170126001", "202309201701260001",
    "999999999999999",
    "BBossOrderJob_100A230920170126001_20230929160000", "BJ-2023-0920-1701-2600", "IBS-100A230920170126001",
    "100A230920170127001_50004020027_20230920191212.xlsx", "675cf2df623c47e69e523c0fd2b6f7b9",
    # words of letters and digits
    "a13712345678", "13712345678b", "x010-62345678y", "tel13712345678", "N110101199003070038",
    "110101199003070038A", "v137123456789",
    # identity numbers with a wrong date, check digit or province
    "110101199013070038", "110101199003070037", "990101199003070037", "110101901307123", "110101200307123",
    # UUIDs, also those without letters
    "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-0411-2345-446655440000",
    "04112345-6789-4137-8123-013712345678",
    "00000000-0000-4000-8000-013712345678",
    # addresses
    "10.137.12.34", "192.168.137.123:13712", "http://10.0.0.5:8000/admin/orders/order/137/change/",
    "2001:db8:0:137:1234:5678::1",
    "2001:db8::400:1234:567", "::ffff:10.0.0.1", "10.0.0.0/8",
    # domains
    "pull.api-eas-3.li.com", "13712345678.com", "www.13712345678.cn", "4008823823.com.cn",
    "13712345678-cdn.example.com",
    "cdn.400-123-4567.example.com", "137-1234-5678.example.com", "010-62345678.cn", "xn--fiq228c.cn",
    # Message-IDs
    "<550e8400-e29b-41d4-a716-446655440000@ibs-order-desk>", "<04112345-6789-4137-8123-013712345678@ibs-order-desk>",
    "<176420400012.4711.12345678901234567890@mail.example.com>", "<20260101120000.8F3A12B@mail.example.com>",
    # figures
    "1,234,567", "0.012 s", "137 of 1500", "65536 bytes", "2,147,483,648", "12345678", "20261127", "40 000 domains",
]  # fmt: skip


@pytest.mark.parametrize("around", ["{}", "order {} done", "（{}）", "订单 {}，见", "a={}", "{}\n"])
def test_these_stay_readable(around):
    texts = [
        around.format(text) for text in [*READABLE, *numbers_of_the_cases(), *(str(uuid.uuid4()) for _ in range(50))]
    ]
    assert [text for text in texts if mask_text(text) != text] == []


def test_a_text_without_people_is_not_changed():
    text = "“ａｂｃ１２”－“①”：全角文字，　空格……保持原样 20230920185436"
    assert mask_text(text) is text


def test_logs_use_the_same_mask():
    assert (
        redact("refused: +86 137-1234-5678, 张三@secret.example.com") == "refused: 137***78, 张***@secret.example.com"
    )


@pytest.mark.parametrize(
    "phone",
    ["13712345678", "１３７１２３４５６７８", "137 1234 5678", "13712345678, 137 1234 5678", "＋８６13712345678"],
)
def test_a_member_that_holds_a_phone(phone):
    assert "1234" not in mask_phone(phone)
    assert "5678" not in mask_phone(phone)


def test_a_member_that_holds_a_mail():
    assert mask_mail("张三@秘密.中国") == "张***@秘密.中国"
    assert mask_mail("no mail") == "***"


@pytest.mark.parametrize(
    "text", ["137 1234 5678", "＋８６ 137-1234-5678", "010 6234 5678", "ops@秘密.中国", "110101 19900307 0038"]
)
def test_no_cut_leaves_half_of_one(text):
    for end in range(len(text)):
        filled = "填" * ((BYTES_SHOWN - len(text[:end].encode())) // 3 - 2) + "，" + text + "，" + "x" * BYTES_SHOWN
        shown = mask_text(head(filled)[0])
        assert not re.search("[0-9]{3} |1234|ops|6234|1990|５|13[0-9]", shown[-30:].replace("137***78", "")), text[:end]
