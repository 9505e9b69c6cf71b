"""Reference ids for PlumbTokenizersTests, by Hugging Face tokenizers and transformers.

    pip install tokenizers==0.23.3 transformers==5.23.0 jinja2
    python make_cases.py          # writes cases.json beside this file

Every tokenizer here is one of the two golden ones, or a variant of it made by replacing parts.
"""
import gzip, json, os, random
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "tokenizers")
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
random.seed(0)

PARTS = (
    ["'s", "'S", "'\u017f", "'re", "'LL", "'lL", "'", "a", "the", "ing", "Z", " ", "  ", "\t", "\n"]
    + ["\r", "\r\n", "\n\n", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\u200d", "1", "23"]
    + ["4567", "\u00bd", "\u2167", "\u00b2", "\u0663", "e\u0301", "\u0301", "\u00df", "\u212a"]
    + ["\u4e2d", "\ud55c\uae00", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u0308\u0344", "\u0f19\u0f81"]
    + ["\U0001f469\u200d\U0001f467", "\U0001f3fd", "!", "...", "//", "<|endoftext|>", "<|im_start|>"]
    + ["<|im_", "|>", "\0", "\x7f", "\u0327", "\ufb01", "\u212b", "\u2126", "\u0915\u094d\u0937"]
    + ["\U0001d49c", "\U00010348", "\u1680", "\u180e", "\ufeff", "\x1c", "\x0b"]
)


def texts(count):
    return ["".join(random.choice(PARTS) for _ in range(random.randint(1, 14))) for _ in range(count)]


def golden(name):
    with open(os.path.join(GOLDEN, name)) as file:
        return json.load(file)


def variant(base, replace={}, model={}, keep_merges=None, inputs=()):
    description = golden(base)
    description.update(replace)
    description["model"].update(model)
    if keep_merges is not None:
        description["model"]["merges"] = description["model"]["merges"][:keep_merges]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    cases = []
    for text in inputs:
        tokenizer.encode_special_tokens = True
        unparsed = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        ends = tokenizer.encode(text).ids
        cases.append({"text": text, "ids": ids, "unparsed": unparsed, "with_ends": ends,
                      "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                      "skipped": tokenizer.decode(ids, skip_special_tokens=True)})
    return {"base": base, "replace": replace, "model": model, "keep_merges": keep_merges,
            "cases": cases}


def added(content, id, **flags):
    token = dict(id=id, content=content, single_word=False, lstrip=False, rstrip=False,
                 normalized=False, special=False)
    token.update(flags)
    return token


def byte_level(regex, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def chain(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


specials = golden("gpt2_style.json")["added_tokens"]
flags = specials + [
    added("<left>", 1200, lstrip=True, special=True), added("<right>", 1201, rstrip=True),
    added("word", 1202, single_word=True), added("<both>", 1203, lstrip=True, rstrip=True),
    added("<n>e\u0301", 1204, normalized=True), added("<|im_start|>s", 1205), added("<|", 1206),
]
flag_texts = ["a <left> b", "a  <right>  b", "<left>  <right>  <both> \n x", "word words sword word",
              "a word, word-word _word_ 1word", "<n>e\u0301 <n>\u00e9", "<|im_start|>system", "<|im_end", "<|<|",
              "x \u00a0<both>\u3000y", "<right> <left>", " <both> <both> ", "<|im_end|><left>"]
llama3 = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
inverted = dict(llama3, behavior="Removed", invert=True)
template = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]}
                       for name, id in [("<|im_start|>", 1), ("<|endoftext|>", 0)]},
}
words = ["the cat and the dog", " the", "hello there", "in the end", "<|im_end|>the", "ation"]
numbers = ["12345 1 22 333 4444", "a1b22c333", "\u00bd\u00b2\u0663\u21670"] + texts(40)

variants = {
    "gpt2": variant("gpt2_style.json", inputs=texts(150)),
    "qwen2": variant("qwen2_style.json", inputs=texts(150)),
    "llama3": variant("qwen2_style.json", {"pre_tokenizer": chain(llama3, byte_level(False))},
                      inputs=numbers),
    "inverted": variant("qwen2_style.json", {"pre_tokenizer": chain(inverted, byte_level(False))},
                        inputs=numbers),
    "digits": variant("gpt2_style.json", {"pre_tokenizer": chain(
        {"type": "Digits", "individual_digits": False}, byte_level(True))}, inputs=numbers),
    "smollm": variant("gpt2_style.json", {"pre_tokenizer": chain(
        {"type": "Digits", "individual_digits": True}, byte_level(True))}, inputs=numbers),
    "prefix space": variant("gpt2_style.json", {"pre_tokenizer": byte_level(True, prefix=True)},
                            inputs=words + texts(20)),
    "no pattern": variant("gpt2_style.json", {"pre_tokenizer": byte_level(False)},
                          inputs=words + texts(20)),
    "flags": variant("gpt2_style.json", {"added_tokens": flags}, inputs=flag_texts + texts(20)),
    "flags nfc": variant("qwen2_style.json", {"added_tokens": flags}, inputs=flag_texts + texts(20)),
    "ignore merges": variant("gpt2_style.json", model={"ignore_merges": True}, keep_merges=100,
                             inputs=words + texts(20)),
    "few merges": variant("gpt2_style.json", keep_merges=100, inputs=words),
    "template": variant("gpt2_style.json", {"post_processor": template}, inputs=words),
    "nested template": variant("gpt2_style.json", {"post_processor": {
        "type": "Sequence", "processors": [byte_level(True), template]}}, inputs=words),
}


def trained(corpus, size, pattern):
    tokenizer = Tokenizer(models.BPE())
    if pattern == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        expression = golden("qwen2_style.json")["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(expression), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return {"pattern": pattern, "size": size, "texts": corpus, "tokens": tokens,
            "merges": [" ".join(pair) for pair in model["merges"]]}


# Words over few letters: many ties, overlaps, and pairs that spell a token that is there already.
letters = [" ".join("".join(random.choice("ab-"[: random.randint(1, 3)])
                            for _ in range(random.randint(1, 14))) for _ in range(8))
           for _ in range(60)]
training = [trained(letters, 500, "gpt2"), trained(letters + texts(200), 420, "qwen2"),
            trained(["abc"], 300, "gpt2")]

# What transformers renders by the templates, and the ids it makes of it.
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PLAIN = "{{ messages | map(attribute='content') | join('\\n\\n') + '\\n\\n' }}"
conversations = [
    [("user", "What is the capital of France?")],
    [("system", "You are kind."), ("user", "hi"), ("assistant", "Hello!\n"), ("user", " 12\u00bd ")],
    [("user", "")],
]


def chats():
    from transformers import PreTrainedTokenizerFast

    result = []
    for base in ["gpt2_style.json", "qwen2_style.json"]:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(GOLDEN, base))
        for name, jinja in [("chatml", CHATML), ("plain", PLAIN)]:
            tokenizer.chat_template = jinja
            for conversation in conversations:
                messages = [{"role": role, "content": content} for role, content in conversation]
                text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
                ids = tokenizer(text, add_special_tokens=False)["input_ids"]
                result.append({"base": base, "template": name, "jinja": jinja, "messages": messages,
                               "text": text, "ids": ids})
    return result


with open(os.path.join(HERE, "cases.json"), "w") as file:
    json.dump({"variants": variants, "training": training, "chats": chats()}, file, indent=None,
              separators=(",", ":"))
    file.write("\n")
