#!/usr/bin/env python3
"""Write a forum dump with the real schema and made-up content, of any size, for trials and measurements.

  Scripts/make_forum_dump.py --bytes 2e9 > Posts.xml
  Scripts/make_forum_dump.py --bytes 1e8 --malformed 0.001 --seed 3 > Posts.xml
  Scripts/make_forum_dump.py --reddit submissions --bytes 5e7 | zstd --long=31 > RS_2012-01.zst
  Scripts/make_forum_dump.py --reddit comments --bytes 5e7 | zstd --long=31 > RC_2012-01.zst

Equal arguments give equal bytes. Bodies are put together from paragraphs made once: prose, inline and fenced code, lists, quotes,
links, formulas, headings, tables, several scripts, entities. Questions have 0 to 12 answers, most one; votes have a long tail; answers
may stand far from their question, and some have none. Reddit's two files belong together if made with the same --seed and --bytes.
"""
import argparse
import html
import json
import os
import random
import sys

WORDS = (
    "the of and to in is that it for as with on be this are from or have an by not but what all were when we there can "
    "use your which do how if will each about many then them write would like so these her long make thing see him two has "
    "look more day could go come did number sound no most people over know water than call first who may down side been now "
    "find any new work part take get place made live where after back little only round man year came show every good me "
    "give our under name very through just form sentence great think say help low line differ turn cause much mean before "
    "move right boy old too same tell does set three want air well also play small end put home read hand port large spell "
    "add even land here must big high such follow act why ask men change went light kind off need house picture try us "
    "again animal point mother world near build self earth father größer naïve café 日本語 Привет smörgåsbord 😀"
).split()


def prose(draw, low, high):
    return " ".join(draw.choices(WORDS, k=draw.randint(low, high)))


def paragraph(draw):
    """One block of HTML as a site would store it."""
    kind = draw.random()
    if kind < 0.62:
        words = prose(draw, 8, 110).split(" ")
        for _ in range(draw.randint(0, 4)):
            words.insert(draw.randrange(len(words)), draw.choice([
                f"<code>f(x[{draw.randint(0, 99)}]) &amp;&amp; y &lt; {draw.randint(0, 9)}</code>",
                f"<strong>{prose(draw, 1, 3)}</strong>", f"<em>{prose(draw, 1, 2)}</em>",
                f'<a href="https://example.com/questions/{draw.randint(1, 999999)}?a=1&amp;b=2" rel="nofollow">{prose(draw, 1, 4)}</a>',
                "&lt;T&gt;", "AT&amp;T", f"$x_{draw.randint(1, 9)}^2 \\le {draw.randint(2, 99)}$", "don't", '"quoted"', "x<sup>2</sup>", "&nbsp;"]))
        return "<p>" + " ".join(words) + "</p>\n"
    if kind < 0.82:
        lines = [f"{'    ' * draw.randint(0, 3)}if (a[{draw.randint(0, 9)}] < b && c->d > {draw.randint(0, 99)}) {{ s = \"{draw.choice(WORDS)}\"; }}"
                 for _ in range(draw.randint(2, 18))]
        language = draw.choice(["", ' class="lang-py prettyprint-override"', ' class="lang-cpp prettyprint-override"'])
        return f"<pre{language}><code>" + html.escape("\n".join(lines), quote=False) + "\n</code></pre>\n"
    if kind < 0.90:
        name = draw.choice(["ul", "ol"])
        return f"<{name}>\n" + "".join(f"<li>{prose(draw, 3, 15)}</li>\n" for _ in range(draw.randint(2, 6))) + f"</{name}>\n"
    if kind < 0.95:
        return f"<blockquote>\n<p>{prose(draw, 8, 40)}</p>\n</blockquote>\n"
    if kind < 0.97:
        return f"<h{draw.randint(1, 3)}>{prose(draw, 2, 6)}</h{draw.randint(1, 3)}>\n"
    if kind < 0.985:
        return f'<p><img src="https://i.stack.imgur.com/{draw.randint(1, 99999)}.png" alt="{prose(draw, 1, 4)}"></p>\n'
    rows = "".join("<tr>" + "".join(f"<td>{prose(draw, 1, 3)}</td>" for _ in range(3)) + "</tr>\n" for _ in range(3))
    return f'<div class="s-table-container">\n<table>\n<tr><th>a</th><th>b</th><th>c</th></tr>\n{rows}</table>\n</div>\n'


def attribute(text):
    return html.escape(text, quote=False).replace('"', "&quot;").replace("\n", "&#xA;")


def spoil(draw, row):
    """A row as damage leaves it."""
    kind = draw.randrange(6)
    if kind == 0:
        return row[: draw.randrange(8, len(row) - 4)] + "\n"
    if kind == 1:
        return row.replace('Id="', "Id=", 1)
    if kind == 2:
        return row.replace("&lt;", "<", 1)
    if kind == 3:
        return row.replace('Score="', 'Score="x', 1)
    if kind == 4:
        return row.replace('Body="', 'Body="&undefined;', 1)
    return row.replace('Body="', 'Body="&#0;', 1)


def votes(draw):
    return int(draw.paretovariate(0.9)) - 1 if draw.random() < 0.93 else -draw.randint(1, 4)


def answer_count(draw):
    return draw.choices(range(0, 13), weights=[14, 44, 21, 9, 5, 2.5, 1.5, 1, 0.6, 0.5, 0.4, 0.3, 0.2])[0]


def stack_exchange(options, write):
    draw = random.Random(options.seed)
    blocks = [attribute(paragraph(draw)) for _ in range(4000)]
    titles = [attribute(prose(draw, 4, 14)) for _ in range(4000)]
    write('<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
    size, identifier, waiting = 0, 0, []
    while size < options.bytes:
        identifier += 1
        stamp = f"{2009 + identifier // 700000 % 14}-{1 + identifier // 50000 % 12:02d}-{1 + identifier // 2000 % 28:02d}T" \
                f"{identifier // 90 % 24:02d}:{identifier % 60:02d}:{identifier * 7 % 60:02d}.{identifier % 1000:03d}"
        licence = "CC BY-SA 2.5" if stamp < "2011-04-08" else "CC BY-SA 3.0" if stamp < "2018-05-02" else "CC BY-SA 4.0"
        body = "&#xA;".join(draw.choices(blocks, k=draw.randint(1, 5)))
        end = f'OwnerUserId="{identifier * 31 % 9973}" LastActivityDate="{stamp}" CommentCount="{identifier % 5}" ContentLicense="{licence}" />\n'
        if waiting and draw.random() < 0.6:
            question = waiting.pop(draw.randrange(len(waiting)))
            if draw.random() < 0.002:
                question = 10**9 + identifier
            row = f'  <row Id="{identifier}" PostTypeId="2" ParentId="{question}" CreationDate="{stamp}" Score="{votes(draw)}" Body="{body}" {end}'
        elif draw.random() < 0.01:
            row = f'  <row Id="{identifier}" PostTypeId="{draw.choice([4, 5])}" CreationDate="{stamp}" Score="0" Body="{body}" {end}'
        else:
            count = answer_count(draw)
            waiting += [identifier] * count
            accepted = f'AcceptedAnswerId="{identifier + draw.randint(1, 9)}" ' if count and draw.random() < 0.6 else ""
            row = (f'  <row Id="{identifier}" PostTypeId="1" {accepted}CreationDate="{stamp}" Score="{votes(draw)}" ViewCount="{identifier % 9999}" '
                   f'Body="{body}" Title="{draw.choice(titles)} {identifier}" Tags="&lt;c#&gt;&lt;xml&gt;" AnswerCount="{count}" {end}')
        if options.malformed and draw.random() < options.malformed:
            row = spoil(draw, row)
        write(row)
        size += len(row.encode())
    write("</posts>\n")


def base36(number):
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


def reddit(options, write):
    draw = random.Random(options.seed)
    texts = [html.escape("\n\n".join(prose(draw, 3, 60) for _ in range(draw.randint(1, 3))), quote=False) for _ in range(3000)]
    size, identifier, first = 0, 0, 40_000_000
    submissions = max(10, int(options.bytes / 2500))
    while size < options.bytes:
        identifier += 1
        created = 1325376000 + identifier * 2
        base = {"author": draw.choice(["anne", "ben", "[deleted]", "AutoModerator", "cleo"]), "subreddit": draw.choice(["askscience", "cooking", "AskHistorians"]),
                "created_utc": created if identifier % 2 else str(created), "score": votes(draw) + 1, "edited": False, "distinguished": None, "gilded": 0,
                "author_flair_text": None, "retrieved_on": created + 9, "stickied": False, "mod_reports": [], "user_reports": [], "media_embed": {"a": ["}", {"b": "\\\""}]}}
        text = draw.choice(texts) if draw.random() > 0.05 else draw.choice(["[deleted]", "[removed]"])
        if options.reddit == "submissions":
            row = dict(base, id=base36(first + identifier), title=prose(draw, 4, 14) + f" {identifier}", selftext=text, over_18=draw.random() < 0.03,
                       num_comments=3, is_self=True, url="https://www.reddit.com/", domain="self", permalink=f"/r/x/comments/{base36(first + identifier)}/")
        else:
            link = "t3_" + base36(first + draw.randint(1, submissions))
            parent = link if draw.random() < 0.6 else "t1_" + base36(first * 36 + max(1, identifier - 3))
            row = dict(base, id=base36(first * 36 + identifier), link_id=link, parent_id=parent, body=text, controversiality=0, subreddit_id="t5_2qh1i", ups=1, name="t1_x")
        line = json.dumps(row, ensure_ascii=identifier % 3 == 0, separators=(",", ":")) + "\n"
        if options.malformed and draw.random() < options.malformed:
            line = line[: draw.randrange(1, len(line) - 2)] + "\n"
        write(line)
        size += len(line.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=float, default=1e6, help="size of the dump (default 1e6)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--malformed", type=float, default=0, help="share of damaged rows (default 0)")
    parser.add_argument("--reddit", choices=["submissions", "comments"], help="a Reddit dump instead of Posts.xml")
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        (reddit if options.reddit else stack_exchange)(options, sys.stdout.write)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
