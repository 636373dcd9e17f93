"""Pages that people read: text from students stays text, and what is not for them is not there."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.feedback import (
    SYMBOLS,
    WORDS,
    class_page,
    gravest_first,
    in_words,
    number,
    question_html,
    question_text,
    student_page,
)
from autograder.results import STATUSES, Finding, QuestionResult, Report, TestResult

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" style="position:fixed" x="',
    "</title></style><script>alert(1)</script>",
    "</td></tr></table><h1>100 of 100 points</h1>",
    "{{ 7 * 7 }} {% raw %} {# no #} {{ report.seed }} ${x} <%= x %>",
    "&lt;script&gt; &amp; &#60;b&#62;",
    "<!-- --><!DOCTYPE html><base href=//evil>",
    "javascript:alert(1)",
    "\x00\x1b[31m\u202e\u2028<b>\uffff",
]


class Structure(HTMLParser):
    """A page as its elements with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text, self.links, self.other = [], "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name == "href"]
        self.elements.append((tag, [pair for pair in attributes if pair[0] != "href"]))

    def handle_endtag(self, tag):
        self.elements.append((f"/{tag}", []))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def question(text="plain", status="failed", **changes):
    tests = (TestResult("it adds", True), TestResult("it multiplies", False, text))
    settings = {"misconception": "flips_it", "hint": text} | changes
    return QuestionResult(
        **{"id": "f", "points": 3, "seconds": 0.5, "status": status, "tests": tests} | settings
    )


def report(text="plain", **changes):
    fields = {
        "assignment": "2_layers",
        "notebook": "layers",
        "student": text,
        "seed": 12345,
        "questions": (question(text), question(text, "passed", extra_credit=True)),
        "autopsy": (Finding("repaired", text), Finding("stopped", "another note")),
        "grader_errors": (text,),
        "timing": {"total": 2.0},
    }
    return Report(**fields | changes)


def pages_of(text):
    return {
        "student": student_page(report(text)),
        "class": class_page("2_layers", [report(text), report("other")], {text: "x.html"}),
        "question": question_html(question(text)),
    }


@settings(max_examples=40)
@given(st.sampled_from(HOSTILE) | st.text("<>\"'&/={}%#- abc", min_size=1))
def test_text_from_students_adds_no_element_and_no_attribute(text):
    for name, page in pages_of(text).items():
        hostile, harmless = Structure(page), Structure(pages_of("plain")[name])
        assert hostile.elements == harmless.elements, name
        assert hostile.other == harmless.other, name
        assert hostile.links == harmless.links, name


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_students_can_be_read_as_it_was_written(text):
    for name, page in pages_of(text).items():
        if name == "class" or "\0" not in text:
            assert text in Structure(page).text, name


@pytest.mark.parametrize("text", HOSTILE)
def test_a_link_to_a_students_page_stays_in_its_attribute(text):
    page = class_page("2_layers", [report()], {"plain": f"feedback/{text}/layers.html"})
    assert set(Structure(page).links) == {f"feedback/{text}/layers.html"}


def test_the_pages_have_no_scripts_and_tell_the_browser_so():
    for page in (student_page(report()), class_page("2_layers", [report()], {})):
        structure = Structure(page)
        [policy] = [
            dict(attributes)["content"]
            for tag, attributes in structure.elements
            if tag == "meta" and dict(attributes).get("http-equiv") == "Content-Security-Policy"
        ]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        names = {name for _, attributes in structure.elements for name, _ in attributes}
        assert not any(name.startswith("on") for name in names)
        assert not {"script", "iframe", "form", "base", "link"} & {t for t, _ in structure.elements}


def test_the_policy_comes_before_everything_that_it_rules():
    tags = [tag for tag, _ in Structure(student_page(report())).elements]
    assert tags.index("meta") < tags.index("style")
    assert not {"img", "script", "link"} & set(tags[: tags.index("style")])


def test_the_graders_own_failures_are_for_the_staff_only():
    secret = "expected conv(x) == [1, 2, 3] in /home/ta/hidden/test_layers.py"
    own = report(grader_errors=(secret,))
    assert secret not in student_page(own)
    assert secret in Structure(class_page("2_layers", [own], {})).text


def test_a_students_page_tells_of_nobody_else():
    class_page("2_layers", [report("Ada"), report("Grace")], {})
    assert "Grace" not in student_page(report("Ada"))


@pytest.mark.parametrize("page", [student_page, lambda r: question_html(r.questions[0])])
def test_a_failed_test_shows_its_name_and_message(page):
    text = Structure(page(report("too small"))).text
    assert "it multiplies" in text
    assert "too small" in text
    assert "flips it" in text


@pytest.mark.parametrize(
    "names, words",
    [
        (("g",), "It uses g, which is not right yet. Mend that first."),
        (("g", "h", "k"), "It uses g, h and k, which are not right yet. Mend these first."),
    ],
)
def test_what_to_mend_first_is_told(names, words):
    leans = question(leans_on=names)
    for text in (
        question_html(leans),
        question_text(leans),
        student_page(report(questions=(leans,))),
    ):
        assert words in text
    assert f"it uses {', '.join(names)}" in class_page("2_layers", [report(questions=(leans,))], {})
    assert "It uses" not in student_page(report())


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_symbol_and_words(status):
    assert WORDS[status] in Structure(question_html(question(status=status))).text
    assert (
        WORDS[status] in Structure(student_page(report(questions=(question(status=status),)))).text
    )
    assert SYMBOLS[status] in student_page(report(questions=(question(status=status),)))
    assert WORDS[status] in class_page("a", [report(questions=(question(status=status),))], {})


def test_of_what_was_not_attempted_no_tests_are_listed():
    unwritten = question(status="not attempted", misconception=None, hint=None)
    assert "it multiplies" not in question_html(unwritten)
    assert "it multiplies" not in student_page(report(questions=(unwritten,)))


def test_the_class_page_counts_what_to_talk_about():
    reports = [report(name) for name in ("a", "b", "c")]
    reports.append(report("d", questions=(question(misconception=None, hint=None),)))
    text = " ".join(Structure(class_page("2_layers", reports, {})).text.split())
    assert "4 submissions" in text
    assert "6 × f: flips it" in text  # two questions of three students


def test_a_class_page_without_submissions_says_so():
    assert "0 submissions" in Structure(class_page("2_layers", [], {})).text


def test_a_report_without_timing_has_its_row():
    assert "plain" in Structure(class_page("2_layers", [report(timing={})], {})).text


def test_a_report_without_a_name_has_its_page():
    assert "for" not in Structure(student_page(report(student=""))).text.split("Feedback")[1][:5]


@pytest.mark.parametrize(
    "value, text",
    [
        *((3.0, "3"), (2.5, "2.5"), (2.6667, "2.67"), (0, "0"), (0.0, "0"), (100.0, "100")),
        *((10, "10"), (0.1, "0.1"), (20.05, "20.05"), (0.001, "0")),
    ],
)
def test_numbers_are_written_as_short_as_they_are(value, text):
    assert number(value) == text


@given(st.integers(0, 100_000))
def test_a_number_in_cents_can_be_read_back(cents):
    assert float(number(cents / 100)) == cents / 100


def test_names_are_written_in_words():
    assert in_words("flips_the_kernel") == "flips the kernel"
    assert in_words(None) == ""


def test_the_plain_text_says_what_the_table_says():
    text = question_text(question("too small", extra_credit=True))
    assert text.splitlines()[0] == "f: 1.5 of 3 points (extra credit)"
    assert "✓ it adds" in text
    assert "✗ it multiplies\n      too small" in text
    assert "flips it: too small" in text


def test_the_autopsy_is_grouped_by_kind_with_the_gravest_first():
    findings = (
        Finding("repaired", "put back"),
        Finding("left out", "a pipe"),
        Finding("stopped", "too much memory", "conv_cost"),
        Finding("repaired", "old format"),
    )
    text = Structure(student_page(report(autopsy=findings))).text
    places = [
        text.index(part)
        for part in (
            "Was stopped",
            "too much memory",
            "Was left out",
            "a pipe",
            "Was repaired",
            "put back",
            "old format",
        )
    ]
    assert places == sorted(places)
    assert "conv_cost" in text and "Could not be read" not in text


def test_an_ordinary_submission_has_no_autopsy():
    plain = report(autopsy=())
    assert "Autopsy" not in student_page(plain) + class_page("2_layers", [plain], {})


def test_the_class_page_lists_the_odd_ones_gravest_first():
    reports = [
        report(student="ada", autopsy=()),
        report(student="bob", autopsy=(Finding("repaired", "r"),)),
        report(student="cy", autopsy=(Finding("repaired", "r"), Finding("unreadable", "u"))),
        report(student="dan", autopsy=(Finding("stopped", "s"),)),
    ]
    assert [r.student for r in gravest_first(reports)] == ["cy", "dan", "bob"]
    text = Structure(class_page("2_layers", reports, {})).text
    assert "3 of the 4 submissions" in text
