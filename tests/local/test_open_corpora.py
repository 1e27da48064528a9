"""The YAMLs of local/open, on trees of empty files with the corpora's own names and layouts."""

import re
import time
from collections import Counter
from itertools import cycle, islice, product
from types import SimpleNamespace

import pytest

from local import corpora
from utils.cli import UserError

WORDS = ["".join(letters) for letters in islice(product("abcdefgh", repeat=3), 200)]
SHORT = {"ang": "Angry", "cal": "Calm", "hap": "Happy", "neu": "Neutral", "sad": "Sad", "sur": "Surprise"}


def dealt(counts, *parts):
    """For each key of `counts`, so many different tuples of `parts`, those on the left changing first."""
    for key, number in counts.items():
        combined = (tuple(reversed(one)) for one in product(*reversed(parts)))
        for one in islice(combined, number):
            yield key, *one


def numbers(first, last, digits=2):
    return [f"{number:0{digits}}" for number in range(first, last + 1)]


def ased():
    odd = ["n1-07-02-02-53", "h3-01-02-02-08", "s4-03-02-01-23", "S4-04-02-01-29", "a5-07-02-02-63", "f2-01-02-02-09"]
    women = corpora.read("ased").genders["f"]
    folders = {"n1": "01Neutral", "f2": "02Fearful", "h3": "03Happy", "s4": "04Sad", "a5": "05Angry"}
    for letter, number in {"n1": 522, "f2": 510, "h3": 486, "s4": 470, "a5": 486}.items():
        names = [name for name in odd if name.lower().startswith(letter)]
        for _, who, text, repeat in dealt({"": 600}, numbers(1, 65), numbers(1, 7), ["01", "02"]):
            names.append(f"{letter}-{text}-{repeat}-{'01' if who in women else '02'}-{who}")
        yield from (f"{folders[letter]}/{name}" for name in list(dict.fromkeys(names))[:number])


def crema_d():
    texts = ["IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"]
    counts = {"ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "NEU": 1087, "SAD": 1271}
    for emotion, who, text, level in dealt(counts, range(1001, 1092), texts, ["XX", "HI"]):
        yield f"AudioWAV/{who}_{text}_{emotion}_{level}"


def emodb():
    speakers = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    texts = ["a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10"]
    counts = {"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79}
    for emotion, who, text, version in dealt(counts, speakers, texts, "abcdef"):
        yield f"wav/{who}{text}{emotion}{version}"


def emovo():
    texts = ["b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2"]
    for who, emotion, text in product(
        ["f1", "f2", "f3", "m1", "m2", "m3"], ["dis", "gio", "neu", "pau", "rab", "sor", "tri"], texts
    ):
        yield f"EMOVO/{who}/{emotion}-{who}-{text}"


def esd():
    """Every tenth sentence: 35000 files would take long."""
    for who, (place, emotion), number in product(
        numbers(1, 20, 4), enumerate(["Neutral", "Angry", "Happy", "Sad", "Surprise"]), range(1, 351, 10)
    ):
        part = "" if who > "0003" else "evaluation/" if number <= 20 else "test/" if number <= 50 else "train/"
        yield f"Emotion Speech Dataset/{who}/{emotion}/{part}{who}_{350 * place + number:06}"


def msp_improv():
    speakers = [f"{sex}{pair}" for sex, pair in product("FM", numbers(1, 6))]
    scenarios = [f"S{number}{meant}" for number, meant in product(numbers(1, 20), "AHNS")]
    for _, who, turn, manner, scenario in dealt({"": 8438}, speakers, numbers(1, 9), "PRST", scenarios):
        sides = who[0] * 2 if manner == "R" else "FM"
        name = f"MSP-IMPROV-{scenario}-{who}-{manner}-{sides}{turn}"
        yield f"Audio/session{who[-1]}/{scenario}/{manner}/{name}"


def nemo():
    counts = {"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprised": 669}
    speakers = ["EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"]
    for emotion, who, number in dealt(counts, speakers, range(1, 91)):
        yield f"samples/{who}_{emotion}_{number}"


def ravdess():
    for actor, emotion, strength, text, repeat in product(numbers(1, 24), numbers(1, 8), "12", "12", "12"):
        if (emotion, strength) != ("01", "2"):  # nobody is strongly neutral
            yield f"Audio_Speech_Actors_01-24/Actor_{actor}/03-01-{emotion}-0{strength}-0{text}-0{repeat}-{actor}"


def savee():
    """The makers' layout for two of the four, and that of others for the rest."""
    for who, emotion in product(["DC", "JE", "JK", "KL"], ["a", "d", "f", "h", "n", "sa", "su"]):
        for number in numbers(1, 30 if emotion == "n" else 15):
            yield f"AudioData/{who}{'/' if who < 'JJ' else '_'}{emotion}{number}"


def shemo():
    speakers = [f"F{number}" for number in numbers(1, 31)] + [f"M{number}" for number in numbers(1, 56)]
    for emotion, who, number in dealt(
        {"A": 1059, "F": 38, "H": 201, "N": 1028, "S": 449, "W": 225}, speakers, numbers(1, 99)
    ):
        yield f"{'female' if who[0] == 'F' else 'male'}/{who}{emotion}{number}"


def tess():
    ends = {"angry": "angry", "disgust": "disgust", "Fear": "fear", "happy": "happy", "neutral": "neutral",
            "Pleasant_surprise": "ps", "Sad": "sad"}  # fmt: skip
    for who, (folder, emotion), word in product(["OAF", "YAF"], ends.items(), WORDS):
        odd = (who, emotion, word) == ("OAF", "neutral", WORDS[0])
        yield f"TESS Toronto emotional speech set data/{who}_{folder}/{'OA' if odd else who}_{word}_{emotion}"


def turev_db():
    speakers, letters = ["1157", "1234", "1358", "1984", "6783", "7895"], {"ang": "kz", "cal": "sk", "hap": "mt"}
    for emotion, who, word in dealt({"ang": 487, "cal": 408, "hap": 357, "sad": 482}, speakers, WORDS):
        yield f"Sound Source/{SHORT[emotion]}/{who}_{letters.get(emotion, 'hl')}_{word}"
    yield "Sound Source/Sad/7895_hl_ogul1"


def urdu():
    speakers = [f"SF{number}" for number in range(1, 12)]
    speakers += [f"SM{number}" for number in (*range(1, 8), *range(17, 28))]
    for emotion, letter in {"ang": "A", "hap": "H", "neu": "N", "sad": "S"}.items():
        for number, who in zip(range(1, 101), cycle(speakers)):
            yield f"{SHORT[emotion]}/{who}_F{number % 80:02}_{letter}{number:03}"


SHARE = {"esd": 10}  # of which a part is made
MAKERS = {name: globals()[name.replace("-", "_")] for name in corpora.names()}

# Of each corpus: path → speaker, class, gender, sentence, session.
EXAMPLES = {
    "ased": {
        "05Angry/a5-03-01-02-50": ("50", "ang", "m", "a5-03", ""),
        "01Neutral/n1-01-01-02-02": ("02", "neu", "m", "01", ""),  # this sentence is said in all emotions
        "02Fearful/f2-01-02-02-09": ("09", "fea", "f", "01", ""),  # the name is wrong about who speaks
        "04Sad/S4-04-02-01-29": ("29", "sad", "f", "S4-04", ""),
    },
    "crema-d": {"AudioWAV/1001_DFA_ANG_XX": ("1001", "ang", "m", "DFA", "")},
    "emodb": {
        "wav/03a01Fa": ("03", "hap", "m", "a01", ""),
        "wav/16a02Wb": ("16", "ang", "f", "a02", ""),
        "wav/08a02La": ("08", "bor", "f", "a02", ""),
    },
    "emovo": {"EMOVO/f3/neu-f3-n5": ("f3", "neu", "f", "n5", ""), "EMOVO/m1/gio-m1-b1": ("m1", "hap", "m", "b1", "")},
    "esd": {
        "Emotion Speech Dataset/0011/Angry/0011_000351": ("0011", "ang", "m", "", ""),
        "Emotion Speech Dataset/0001/Surprise/evaluation/0001_001401": ("0001", "sur", "f", "", ""),
    },
    "msp-improv": {
        "Audio/session1/S01A/P/MSP-IMPROV-S01A-M01-P-FM01": ("M01", "ang", "m", "", "01"),
        "Audio/session6/S01A/R/MSP-IMPROV-S01A-F06-R-FF01": ("F06", "hap", "f", "", "06"),
    },
    "nemo": {
        "samples/EB0_anger_1": ("EB0", "ang", "f", "1", ""),
        "samples/WR0_surprised_64": ("WR0", "sur", "m", "64", ""),
    },
    "ravdess": {
        "Audio_Speech_Actors_01-24/Actor_18/03-01-05-01-02-01-18": ("Actor_18", "ang", "f", "02", ""),
    },
    "savee": {"AudioData/DC/a01": ("DC", "ang", "m", "", ""), "AudioData/JK_su15": ("JK", "sur", "m", "", "")},
    "shemo": {"female/F03S02": ("F03", "sad", "f", "", ""), "male/M56W01": ("M56", "sur", "m", "", "")},
    "tess": {
        "TESS Toronto emotional speech set data/YAF_angry/YAF_bad_angry": ("YA", "ang", "f", "bad", ""),
        "TESS Toronto emotional speech set data/OAF_Pleasant_surprise/OAF_bad_ps": ("OA", "sur", "f", "bad", ""),
        "TESS Toronto emotional speech set data/OAF_neutral/OA_aaa_neutral": ("OA", "neu", "f", "aaa", ""),
    },
    "turev-db": {
        "Sound Source/Angry/1157_kz_aab": ("1157", "ang", "", "aab", ""),
        "Sound Source/Sad/7895_hl_ogul1": ("7895", "sad", "", "ogul", ""),
    },
    "urdu": {"Angry/SF1_F01_A001": ("SF1", "ang", "f", "", ""), "Happy/SM27_F29_H029": ("SM27", "hap", "m", "", "")},
}
# What lies beside a corpus's recordings.
TRAPS = {
    "ased": ["05Angry/a5-08-01-02-50.wav", "a5-03-01-02-50-copy.wav"],
    "ravdess": ["Audio_Song_Actors_01-24/Actor_18/03-02-05-01-02-01-18.wav", "Actor_18/01-01-05-01-02-01-18.wav"],
    "turev-db": ["Model Output for Test Data/testEmotions500HighPass/sound/Angry/1157_kz_aab.wav"],
    "esd": ["Emotion Speech Dataset/0011/Angry/0012_000351.wav"],
    "msp-improv": ["Audio/session1/S01A/T/MSP-IMPROV-S01A-M01-T-FM99.wav"],  # not in the table
}


def write_tables(root):
    """The tables of makers, with what is odd about them."""
    if root.name == "nemo":
        genders = dict.fromkeys(["EB0", "IC0", "KD0", "MK0"], "female")
        genders |= dict.fromkeys(["KS0", "MP0", "SM0", "TP0", "WR0"], "male")
        lines = [f"{who}_anger_1.wav\tanger\ttext \ttext\t        {who}\t{sex}\t25" for who, sex in genders.items()]
        header = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"
        (root / "data.tsv").write_text("\n".join([header, *lines]) + "\n")
    if root.name == "crema-d":
        rows = [f"{who},30,{'Female' if who % 2 == 0 else 'Male'},Caucasian,Not Hispanic" for who in range(1001, 1092)]
        (root / "VideoDemographics.csv").write_text("\n".join(["ActorID,Age,Sex,Race,Ethnicity", *rows]) + "\n")
        (root / "summaryTable.csv").write_text(
            '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"\n'
            '"1","1001_DFA_ANG_XX","A:N","50","A","60","A","70"\n'
        )
    if root.name == "msp-improv":
        names = [path.rpartition("/")[2].removeprefix("MSP-") for path in msp_improv()]
        examples = {"IMPROV-S01A-M01-P-FM01": "A", "IMPROV-S01A-F06-R-FF01": "H"}
        counts = {"A": 792, "X": 555, "H": 2644, "N": 3477, "S": 885, "O": 85}
        others = (Counter(counts) - Counter(examples.values())).elements()
        with (root / "Evalution.txt").open("w") as file:
            for name in names:
                letter = examples.get(name) or next(others)
                file.write(f"UTD-{name}.avi; {letter}; A:2.333333; V:3.500000; D:NaN ; N:4.200000;\n")
                file.write("WORKER00001; Angry; Angry,Disgusted; A:2.000000; V:3.000000; D:3.000000; N:4.000000;\n\n")


@pytest.fixture(scope="module", params=corpora.names())
def tree(request, tmp_path_factory):
    """A whole corpus: its name and folder, and the recordings that were put there."""
    root = tmp_path_factory.mktemp("open") / request.param
    root.mkdir()
    paths = list(MAKERS[request.param]())
    assert len(set(paths)) == len(paths)
    for folder in {path.rpartition("/")[0] for path in paths}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        open(f"{root}/{path}.{'WAV' if number == 0 else 'wav'}", "w").close()
    beside = (root / paths[0]).parent
    for trap in ("take1.wav", "README.txt", f"._{paths[0].rpartition('/')[2]}.wav"):
        (beside / trap).touch()
    for trap in TRAPS.get(request.param, []):
        (root / trap).parent.mkdir(parents=True, exist_ok=True)
        (root / trap).touch()
    write_tables(root)
    corpus = corpora.read(request.param)
    rows, others = corpora.rows(corpus, root)
    rows = {row.path.rpartition(".")[0]: row for row in rows}
    return SimpleNamespace(name=request.param, root=root, paths=paths, corpus=corpus, rows=rows, others=others)


def test_the_whole_release(tree):
    assert set(tree.rows) == set(tree.paths)
    counts = Counter(row.label for row in tree.rows.values() if row.label in tree.corpus.known)
    assert {name: number * SHARE.get(tree.name, 1) for name, number in counts.items()} == tree.corpus.counts
    assert len({row.speaker for row in tree.rows.values()}) == tree.corpus.speakers
    genders = {row.gender.lower() for row in tree.rows.values()}
    assert genders <= ({""} if tree.name == "turev-db" else {"f", "m"})


def test_what_is_no_recording_of_the_corpus_is_named(tree):
    strange = {str(path.relative_to(tree.root)) for path in tree.others}
    assert strange == {f"{tree.paths[0].rpartition('/')[0]}/take1.wav", *TRAPS.get(tree.name, [])}


def test_named_recordings(tree):
    for path, expected in EXAMPLES[tree.name].items():
        row = tree.rows[path]
        assert (row.speaker, row.label, row.gender.lower(), row.sentence, row.session) == expected, path


def test_speakers_of_folds_and_genders_are_the_corpus_s(tree):
    speakers = sorted({row.speaker for row in tree.rows.values()})
    for groups in (tree.corpus.folds, list(tree.corpus.genders.values())):
        assert not groups or sorted(who for group in groups for who in group) == speakers


def test_what_is_bad_is_there(tree):
    if tree.name != "crema-d":  # whose generated tree does not have just these
        assert set(tree.corpus.bad) <= {path.rpartition("/")[2] for path in tree.paths}


def test_sentences_that_only_one_emotion_has_are_told_apart_in_ased():
    """25 of 27, the makers say."""
    pattern, emotions = re.compile(f"(?:.*/)?{corpora.read('ased').path}"), {}
    for path in ased():
        known = pattern.fullmatch(path)
        emotions.setdefault(known["sentence"].lower(), set()).add(known["emotion"].lower())
    assert len(emotions) == 27 and sum(len(of) == 1 for of in emotions.values()) == 25


@pytest.mark.parametrize("name", corpora.names())
def test_a_corpus_says_what_one_must_know(name):
    corpus = corpora.read(name)
    assert corpus.title and corpus.licence and corpus.cite and corpus.size
    assert corpus.address.startswith("http")
    assert set(corpus.classes) == set(corpora.FOUR) & set(corpus.known)
    assert set(corpus.counts) <= set(corpus.known) and set(corpus.genders) <= {"f", "m"}


@pytest.mark.parametrize("name", corpora.names())
def test_names_belong_to_one_corpus(name):
    pattern = re.compile(f"(?:.*/)?{corpora.read(name).path}")
    for other, examples in EXAMPLES.items():
        for path in examples:
            assert bool(pattern.fullmatch(path)) == (other == name), path


@pytest.mark.parametrize("name", corpora.names())
def test_patterns_are_quick_with_names_that_are_long(name):
    corpus = corpora.read(name)
    patterns = [re.compile(f"(?:.*/)?{corpus.path}")]
    patterns += [re.compile(corpus.labels.line)] if corpus.labels and corpus.labels.line else []
    seeds = [*EXAMPLES[name], "UTD-IMPROV-S01A.avi; A;", "a", "0", "_", "-", "a5-", "/"]
    long = [seed[:cut] + seed[cut - 1] * 10_000 + seed[cut:] for seed in seeds for cut in range(1, len(seed) + 1)]
    long += [f"{seed}/" * (10_000 // len(seed)) + "?" for seed in seeds]
    began = time.process_time()
    for text in long:
        for pattern in patterns:
            pattern.fullmatch(text)
    assert time.process_time() - began < 0.01 * len(long)


@pytest.mark.parametrize(
    "table, wrong",
    [
        ({"file": "x", "id": "name"}, "needs id and column, or line"),
        ({"file": "x", "id": "a", "column": "b", "line": "(?P<id>.)(?P<value>.)"}, "needs id and column, or line"),
        ({"file": "x", "line": "(?P<id>.)"}, "needs the groups"),
        ({"file": "x", "line": "("}, "no regular expression"),
    ],
)
def test_a_table_says_how_it_is_read(table, wrong, tmp_path, monkeypatch):
    import yaml

    said = {"title": "t", "licence": "l", "address": "a", "cite": "c", "path": "(?P<speaker>.)", "labels": table}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(said))
    monkeypatch.setattr(corpora, "FOLDER", tmp_path)
    with pytest.raises(UserError, match=wrong):
        corpora.read("mine")


def test_a_path_is_no_name_of_a_corpus():
    for name in (corpora.FOLDER / "ravdess", "../open/ravdess", "."):
        with pytest.raises(UserError, match="is no corpus of local/open"):
            corpora.read(str(name))
