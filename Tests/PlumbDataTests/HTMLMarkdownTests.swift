import PlumbTestSupport
import Testing

@testable import PlumbData

/// HTML as Stack Exchange stores it, and the Markdown that says the same, written by hand.
@Suite struct HTMLMarkdownTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let html: String
    let markdown: String

    init(_ name: String, _ html: String, _ markdown: String) {
      (testDescription, self.html, self.markdown) = (name, html, markdown)
    }
  }

  static let inline = [
    Case("paragraphs", "<p>One\n  two.</p>\n\n<p>Three.</p>\n", "One two.\n\nThree."),
    Case("bare text", "just text", "just text"),
    Case("bold and italic", "<p>a <strong>b c</strong>, <em>d</em>!</p>", "a **b c**, *d*!"),
    Case(
      "old emphasis", "<b>a</b> <i>b</i> <s>c</s> <strike>d</strike> <del>e</del>",
      "**a** *b* ~~c~~ ~~d~~ ~~e~~"),
    Case("space inside marks", "<p>a<strong> b </strong>c</p>", "a**b** c"),
    Case("empty marks", "<p>a<strong></strong> b<a href=\"x\"></a></p>", "a b"),
    Case(
      "links", "<p><a href=\"http://a.b/c?d=1&amp;e=2\" rel=\"nofollow\">see this</a>.</p>",
      "[see this](http://a.b/c?d=1&e=2)."),
    Case("a link to itself", "<a href=\"http://a.b\">http://a.b</a>", "http://a.b"),
    Case("a link with spaces", "<a href=\"a b(c)\">x</a>", "[x](<a b(c)>)"),
    Case("a link in bold", "<b><a href=\"u\">t</a></b>", "**[t](u)**"),
    Case("a picture", "<p><img src=\"i.png\" alt=\"a\nb\"></p>", "![a b](i.png)"),
    Case("a picture in a link", "<a href=\"u\"><img src=\"i.png\"></a>", "[![](i.png)](u)"),
    Case("line breaks", "<p>a<br>b<br/>c</p>", "a  \nb  \nc"),
    Case(
      "entities", "<p>&lt;T&gt; &amp;amp; &quot;q&quot; &eacute; &#8364;</p>", "<T> &amp; \"q\" é €"
    ),
    Case(
      "kept inline HTML", "x<sup>2</sup>, H<sub>2</sub>O, <kbd>Ctrl</kbd>",
      "x<sup>2</sup>, H<sub>2</sub>O, <kbd>Ctrl</kbd>"),
    Case("text is not escaped", "<p>$x_1 * y_2$ a*b*c</p>", "$x_1 * y_2$ a*b*c"),
    Case("other scripts", "<p>größer 日本語 Привет 😀</p>", "größer 日本語 Привет 😀"),
    Case("comments and scripts", "a<!-- x --><script>alert(1)</script><style>p{}</style>b", "ab"),
    Case("nothing", " \n\t ", ""), Case("tags only", "<p></p><div><br></div>", ""),
  ]

  static let code = [
    Case("inline code", "<p>use <code>a &lt; b</code> here</p>", "use `a < b` here"),
    Case("inline code with backticks", "<code>a `b` c</code>", "``a `b` c``"),
    Case("inline code that begins with one", "<code>`x</code>", "`` `x ``"),
    Case("inline code over lines", "<code>a\nb</code>", "`a b`"),
    Case("empty code", "<p>a <code></code>b</p>", "a b"),
    Case(
      "a block",
      "<p>So:</p>\n\n<pre><code>if a &lt; b:\n    c()\n\nd()\n</code></pre>\n\n<p>End</p>",
      "So:\n\n```\nif a < b:\n    c()\n\nd()\n```\n\nEnd"),
    Case(
      "a block with a language",
      "<pre class=\"lang-py prettyprint-override\"><code>x = 1\n</code></pre>",
      "```py\nx = 1\n```"),
    Case(
      "a language on the code", "<pre><code class=\"language-c++\">x\n</code></pre>",
      "```c++\nx\n```"),
    Case("no language", "<pre class=\"lang-none\"><code>x</code></pre>", "```\nx\n```"),
    Case(
      "a block with a fence", "<pre><code>```\nx\n```\n</code></pre>", "````\n```\nx\n```\n````"),
    Case("a block without code", "<pre>a\n  b</pre>", "```\na\n  b\n```"),
    Case("marks in code mean nothing", "<pre><code>a <b>b</b> c</code></pre>", "```\na b c\n```"),
    Case("indent of the first line", "<pre><code>  a\nb</code></pre>", "```\n  a\nb\n```"),
  ]

  static let blocks = [
    Case("headings", "<h1>A</h1>\n<p>b</p>\n<h3>C <em>d</em></h3>", "# A\n\nb\n\n### C *d*"),
    Case("a rule", "<p>a</p><hr><p>b</p>", "a\n\n---\n\nb"),
    Case(
      "a list", "<p>a</p><ul>\n<li>b</li>\n<li>c <b>d</b></li>\n</ul>\n<p>e</p>",
      "a\n\n- b\n- c **d**\n\ne"),
    Case("a numbered list", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>", "1. a\n2. b"),
    Case("a list that starts later", "<ol start=\"9\"><li>a</li><li>b</li></ol>", "9. a\n10. b"),
    Case(
      "a loose list", "<ul>\n<li><p>a</p></li>\n<li><p>b</p>\n\n<p>c</p></li>\n</ul>",
      "- a\n\n- b\n\n  c"),
    Case(
      "lists in lists", "<ul><li>a<ol><li>b</li><li>c</li></ol></li><li>d</li></ul>",
      "- a\n  1. b\n  2. c\n- d"),
    Case(
      "code in a list", "<ul><li><p>a</p>\n<pre><code>x\n\ny\n</code></pre></li></ul>",
      "- a\n\n  ```\n  x\n\n  y\n  ```"),
    Case(
      "a quote", "<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>\n<p>c</p>",
      "> a\n>\n> b\n\nc"),
    Case(
      "a quote in a quote", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>",
      "> a\n>\n> > b"),
    Case(
      "a quote in a list", "<ul><li>a<blockquote><p>b</p></blockquote></li></ul>",
      "- a\n\n  > b"),
    Case(
      "a list in a quote", "<blockquote><ul><li>a</li><li>b</li></ul></blockquote>",
      "> - a\n> - b"),
    Case("a spoiler", "<blockquote class=\"spoiler\"><p>a</p></blockquote>", ">! a"),
    Case(
      "code in a quote", "<blockquote><pre><code>a\n\nb</code></pre></blockquote>",
      "> ```\n> a\n>\n> b\n> ```"),
    Case(
      "a table",
      "<div class=\"s-table-container\"><table>\n<thead><tr><th>a</th><th>b</th></tr></thead>\n"
        + "<tbody><tr><td>1</td><td>x|y</td></tr>\n<tr><td>2</td><td></td></tr></tbody></table></div>",
      "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n| 2 |  |"),
  ]

  static let careless = [
    Case("open paragraphs", "<p>a<p>b", "a\n\nb"),
    Case("open marks", "<p>a <b>b", "a **b**"),
    Case("crossed marks", "<b>a<i>b</b>c</i>", "**a*b***c"),
    Case("unknown elements", "<foo>a <bar>b</bar></foo>", "a b"),
    Case("loose angle brackets", "a < b && c > d", "a < b && c > d"),
    Case("an item without list", "<li>a</li><li>b</li>", "- a\n- b"),
    Case("unknown entity", "a &foo; b &", "a &foo; b &"),
    Case("upper case", "<P>a <STRONG>b</STRONG></P>", "a **b**"),
    Case("closing only", "</p></b>a</div>", "a"),
  ]

  @Test(arguments: inline + code + blocks + careless) func isAsByHand(_ example: Case) {
    let markdown = HTMLMarkdown().convert(Array(example.html.utf8))
    let text = markdown.map { String(decoding: $0, as: UTF8.self) }
    #expect(text == example.markdown)
  }

  /// One converter, used again, gives what a new one gives.
  @Test func keepsNothingFromTheLastText() {
    let converter = HTMLMarkdown()
    for broken in ["<ul><li><b>x", "<pre><code>x", "<table><tr><td>a", "<script>x", "<a href=u>x"] {
      _ = converter.convert(Array(broken.utf8))
      #expect(converter.convert(Array("<p>a b</p>".utf8)) == Array("a b".utf8))
    }
  }

  @Test func deepNestingIsRefusedQuickly() {
    let converter = HTMLMarkdown()
    for tag in ["<b>", "<div>", "<ul><li>", "<blockquote>"] {
      let html = String(repeating: tag, count: 100_000) + "x" + String(repeating: "</i>", count: 9)
      #expect(converter.convert(Array(html.utf8)) == nil)
    }
    let fine = String(repeating: "<i>", count: 100) + "x"
    #expect(converter.convert(Array(fine.utf8)) != nil)
  }

  /// Any prefix of a page with everything in it gives valid UTF-8 and no crash.
  @Test func everyCutIsSurvived() {
    let all = (Self.inline + Self.code + Self.blocks + Self.careless).map(\.html).joined()
    let bytes = Array(all.utf8)
    let converter = HTMLMarkdown()
    for count in stride(from: 0, through: bytes.count, by: 1) {
      let text = converter.convert(Array(bytes[..<count]))
      let isText = text.map { String(validating: $0, as: UTF8.self) != nil } ?? true
      #expect(isText, "cut after \(count) bytes")
    }
  }
}
