#!/usr/bin/env python3
"""How the files of examples/data were made from their openly licensed sources (see README.md beside this file).

Usage: prepare.py SOURCE_DIRECTORY OUTPUT_DIRECTORY [whole]     (needs the `zstd` program)
With `whole`, pretraining.jsonl holds every row that plumb-5m was trained on, and forum-threads.jsonl also the threads
that give no pair; without, the four rows in nine and the threads with a pair, which ship.
Keeps English prose, drops code, tables and anything a filter of offensive or sensitive words finds, and shortens nothing but
the answers of the vicuna80 tournament (to 400 characters).
"""
import gzip, json, pathlib, random, re, subprocess, sys

SOURCE, OUT = map(pathlib.Path, sys.argv[1:3])
WHOLE = "whole" in sys.argv[3:]
BAD = re.compile(r"""(?ix)\b(?: f+u+c+k\w*|sh[i1]t\w*|bullshit|b[i1]tch\w*|bastard\w*|a[s$]{2}(?:hole)?s?|arse\w*|cunt\w*|dick(?:s|head)?|cock(?:s)?|pussy|
 penis\w*|vagina\w*|boob\w*|breasts?|nude\w*|naked|nudity|sex\w*|porn\w*|erotic\w*|orgasm\w*|masturbat\w*|fetish\w*|hentai|horny|slut\w*|whore\w*|prostitut\w*|
 rap(?:e|ed|es|ist|ing)|molest\w*|pedo\w*|incest\w*|nigg\w*|fag\w*|retard\w*|tranny|spic|kike|chink|nazi\w*|hitler|holocaust|genocid\w*|racis[mt]\w*|white\ suprem\w*|slave\w*|
 kill\w*|murder\w*|suicid\w*|self.?harm|tortur\w*|terroris\w*|bomb\w*|explosiv\w*|weapon\w*|guns?|shoot\w*|stab\w*|behead\w*|massacre\w*|corpse\w*|
 meth|methamphetamine\w*|cocaine|heroin|marijuana|cannabis|weed|lsd|drugs?|overdos\w*|
 abort\w*|jihad\w*|isis|al.qaeda|antisemit\w*|homophob\w*|transgender\w*|gender|trump|biden|putin|israel\w*|palestin\w*|ukrain\w*|
 crap\w*|piss\w*|idiot\w*|stupid\w*|moron\w*|wtf|lmao|
 adult\ content|lingerie|seduc\w*|sperm|semen|condom\w*|virgin|kinky|bdsm|assault\w*)\b""")
SENSITIVE = re.compile(r"""(?ix)\b(?: damn\w*|bloody|dumb\w*|hate\w*|hell|die|dead|death|blood|jew\w*|muslim\w*|islam\w*|christian\w*|catholic\w*|
 abus\w*|victim\w*|crime\w*|criminal\w*|war|wars|army|soldier\w*)\b""")
CODE = re.compile(r"```|</?\w+>|[{};]\s*\n|\\begin|\\frac|\$\$|^\s*\|.*\|", re.M)
WORDS = set("the of and to a in is that it for you are with as this be on can have or i not what how".split())

def rows(name):
    with gzip.open(SOURCE / name, "rt", encoding="utf-8") as f:
        for line in f: yield json.loads(line)

TIDY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\u200b": "", "\r": ""})
def tidy(text): return re.sub(r"[ \t]+\n", "\n", re.sub(r"\n{3,}", "\n\n", text.translate(TIDY))).strip()

def clean(text, minimum=1):
    if len(text) < minimum or BAD.search(text) or CODE.search(text) or "http" in text and text.count("http") > 2: return False
    if sum(ord(c) > 126 for c in text) > 0.01 * len(text) + 1: return False
    words = re.findall(r"[a-z']+", text.lower())
    return len(words) >= 0.12 * len(text) * (len(text) > 40) and (len(words) < 12 or sum(w in WORDS for w in words) > 0.15 * len(words))

def write(name, items):
    items = list(items); path = OUT / name; path.write_text("".join(json.dumps(x, ensure_ascii=False) + "\n" for x in items), encoding="utf-8")
    subprocess.run(["zstd", "-q", "-f", "--rm", "--ultra", "-22", str(path), "-o", str(path) + ".zst"], check=True)
    print(f"{name}.zst: {len(items)} rows, {(OUT / (name + '.zst')).stat().st_size / 1e6:.2f} MB", file=sys.stderr)

def forum():
    sites, out = {"beer", "coffee", "ai", "genai", "matheducators", "quantumcomputing", "bioinformatics",
        "meta_bicycles", "meta_3dprinting", "meta_datascience", "meta_coffee", "meta_history"}, []
    for t in rows("stackexchange/threads.jsonl.gz"):
        if t["site"] not in sites: continue
        title, body = tidy(t["title"]), tidy(t["body"])
        if not clean(title + "\n" + body) or len(body) > 1600: continue
        answers = [{**a, "text": tidy(a["text"])} for a in t["answers"]]
        answers = [a for a in answers if len(a["text"]) <= 1800 and clean(a["text"])]
        # Threads that give no pair are only texts; they stay out unless the whole is asked for.
        if not WHOLE and len({a["score"] + int(a["accepted"]) for a in answers}) < 2: continue
        if answers: out.append({"site": t["site"], "id": t["id"], "title": title, "tags": t["tags"], "score": t["score"], "created": t["created"], "body": body, "answers": answers, "url": ("https://" + (t["site"][5:] + ".meta" if t["site"].startswith("meta_") else t["site"]) + f".stackexchange.com/q/{t['id']}")})
    return out

def preferences():
    out, seen = [], set()
    for name, label in (("oasst1_en_validation", "oasst1"), ("pandalm_human", "pandalm"), ("qa_feedback_dev", "qa_feedback"), ("rasbt_politeness", "politeness")):
        for r in rows(f"pairs/{name}.jsonl.gz"):
            messages = [{"role": m["role"], "content": tidy(m["content"])} for m in r["messages"]]
            chosen, rejected = tidy(r["chosen"]), tidy(r["rejected"])
            if chosen == rejected or not chosen or not rejected: continue
            if any(BAD.search(x) or CODE.search(x) or sum(ord(c) > 126 for c in x) > 0.02 * len(x) + 2 for x in [chosen, rejected] + [m["content"] for m in messages]): continue
            if len(messages) != 1 or len(messages[0]["content"]) > 600 or max(len(chosen), len(rejected)) > 1200: continue
            key = (messages[0]["content"], chosen, rejected)
            if key in seen: continue
            seen.add(key)
            out.append({"id": r["id"], "source": label, "label": "synthetic" if label == "politeness" else "human", "messages": messages, "chosen": chosen, "rejected": rejected})
    return out

def demonstrations():
    out = []
    for name in ("rasbt_instruction", "self_instruct_human", "oasst1_en_validation_best"):
        for r in rows(f"sft/{name}.jsonl.gz"):
            m = [{"role": x["role"], "content": tidy(x["content"])} for x in r["messages"]][:2]
            if len(m) < 2 or len(m[0]["content"]) > 500 or len(m[1]["content"]) > 800: continue
            if any(BAD.search(x["content"]) or CODE.search(x["content"]) or sum(ord(c) > 126 for c in x["content"]) > 2 for x in m): continue
            out.append({"source": r["source"], "messages": m})
    return out

def pretraining():
    out = []; previous = None
    for r in rows("text/oasst1_en_train_messages.jsonl.gz"):          # depth-first: a message and its successor are usually question and answer
        text = tidy(r["text"]); ok = clean(text, 40) and len(text) <= 2500
        if ok and previous and len(previous) < 500 and len(text) > len(previous) * 0.7:
            out.pop() if out and out[-1].get("text") == previous else None
            out.append({"source": "oasst1", "messages": [{"role": "user", "content": previous}, {"role": "assistant", "content": text}]}); previous = None
        elif ok: out.append({"source": "oasst1", "text": text}); previous = text
        else: previous = None
    out = [r for r in out if not SENSITIVE.search(json.dumps(r))]; n = 0
    for r in rows("sft/flan_cot.jsonl.gz"):
        q, a = tidy(r["question"].replace("\\n", "\n")), tidy(r["rationale"])
        if not clean(q + "\n" + a) or SENSITIVE.search(q + a) or len(a) < 40 or len(q) > 400: continue
        n += 1
        if n % 2: out.append({"source": "flan_cot", "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]})
    for i, r in enumerate(rows("sft/gsm8k_train.jsonl.gz")):
        a = re.sub(r"<<.*?>>", "", r["answer"]).split("####")[0]
        if i % 3 == 0 and not BAD.search(r["question"] + a): out.append({"source": "gsm8k", "messages": [{"role": "user", "content": tidy(r["question"])}, {"role": "assistant", "content": tidy(a)}]})
    return out

def hh():
    """HH-RLHF by the split of its prompts; the filter of offensive words reads the harmless half only, whose point they are."""
    parts = {"train": [], "dev": [], "test": []}
    for name, label, longest in (("hh_helpful_test", "hh_helpful", 2000), ("hh_harmless_base_test", "hh_harmless", 1200)):
        for r in rows(f"pairs/{name}.jsonl.gz"):
            m = [{"role": x["role"], "content": tidy(x["content"])} for x in r["messages"]]
            chosen, rejected = tidy(r["chosen"]), tidy(r["rejected"])
            texts = [chosen, rejected] + [x["content"] for x in m]
            if not chosen or not rejected or chosen == rejected or sum(map(len, texts)) > longest: continue
            if label == "hh_harmless" and any(BAD.search(t) for t in texts): continue
            parts[r["split"]].append({"id": r["id"], "source": label, "label": "human", "messages": m, "chosen": chosen, "rejected": rejected})
    return parts

def gsm8k(): return list(rows("sft/gsm8k_test.jsonl.gz"))[:800]

def flan_options(pretrained):
    """Questions with options; none whose rationale the shipped model was pretrained on."""
    read = {r["messages"][0]["content"] for r in pretrained if r["source"] == "flan_cot"}
    found = [{k: r[k] for k in ("source", "question", "answer")} for r in rows("sft/flan_cot.jsonl.gz")
        if "Options:" in r["question"] and not BAD.search(r["question"]) and tidy(r["question"].replace("\\n", "\n")) not in read]
    return sorted(random.Random(0).sample(found, 1200), key=lambda r: r["question"])

def vicuna80():
    for r in rows("tournament/vicuna80_gpt4_roundrobin.jsonl.gz"):
        yield {**r, "answers": {system: text[:400] for system, text in r["answers"].items()}}

OUT.mkdir(parents=True, exist_ok=True)
write("forum-threads.jsonl", forum())
write("preferences.jsonl", preferences())
write("demonstrations.jsonl", demonstrations())
texts = pretraining()
write("pretraining.jsonl", texts if WHOLE else [row for i, row in enumerate(texts) if i % 9 < 4])
for part, items in hh().items(): write(f"hh.{'validation' if part == 'dev' else part}.jsonl", items)
write("gsm8k.jsonl", gsm8k())
write("flan-options.jsonl", flan_options(texts))
write("tournament-vicuna80.jsonl", vicuna80())
write("tournament-oasst953.jsonl", rows("tournament/oasst953_gpt4_roundrobin_outcomes.jsonl.gz"))
