"""Which legacy encoding a file is in, by lines as people write them in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.pipeline.inputs.cells import read_cells
from fieldline.pipeline.records.encodings import legacy_encoding

LINES = {
    "cp1254": ["Şükrü Yıldız;buğday;Çankırı", "İbrahim Çağlar;arpa;Köy Adı",
               "hâlâ yağışlı;ĞÜZÎN;ŞÇÖÂÛİ;îû çığ öküz"],
    "cp1251": ["Иван Петренко;пшеница;поле", "Ольга Шевчук;кукуруза;село", "Київ;озима;соняшник",
               "Анна;Ада;Азат"],
    "cp1250": ["Łukasz Wiśniewski;pszenica", "Michał;Grażyna Żółć", "Příbram;Dvořák;ječmen;žito",
               "Tóth Jenő;kukorica;őszi búza;szőlő fűz öt"],
    "cp1252": ["Müller, Jörg;Größe;Straße", "sœur œuf;élève à côté;l'été", "¿Qué? ñandú;Muñoz;£100",
               "João Conceição;plantações;põe;açaí", "Þórður;Björk Guðmundsdóttir;Sæmundur",
               "Søren Ågård;Kærgård;rødkløver", "mägi õun;öö;küla Tõnis",
               "5 m³ fumier;2 m²;n° 3;1ª"],
    "gb18030": ["张三;小麦;河南省", "李四;玉米;周口市", "赵国强;欧阳娜娜;鄢陵县"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, line) for name, lines in LINES.items() for line in lines]
)
def test_a_line_alone_and_a_file_of_one_language_tell_their_encoding(
    encoding: str, text: str
) -> None:
    for lines in ([text], [text] * 200):
        cells = [cell for line in lines for cell in line.split(";")]
        raw = [cell.encode(encoding).decode("utf-8", "surrogateescape") for cell in cells]
        assert legacy_encoding(raw) == (encoding, True)


def test_a_turkish_table_keeps_its_names_and_headings(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Çiftçi;Adı\r\n0010;Şükrü Yıldız\r\n0011;Ayşe Öz\r\n".encode("cp1254"))
    cells = read_cells(path, lambda row: len(row), setting="")
    assert cells.names == ("Çiftçi", "Adı")
    assert cells.column("Adı").to_pylist() == ["Şükrü Yıldız", "Ayşe Öz"]
    assert cells.encoding == "cp1254"
