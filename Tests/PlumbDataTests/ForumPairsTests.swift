import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@testable import PlumbData

/// What pairs are made of a `Posts.xml`, by which rule, and where they go.
@Suite struct ForumPairsTests {
  static let beer = Dump.posts([
    Dump.question(
      1, "How warm?", body: "<p>A <code>beer</code>.</p>", accepted: 3, score: 7,
      created: "2014-01-21T20:26:05.383"),
    Dump.answer(2, to: 1, score: 4, "<p>Cold &amp; fresh.</p>", created: "2014-01-21T20:40:00.000"),
    Dump.answer(3, to: 1, score: 4, "<p>Warm.</p>", created: "2014-01-21T21:00:00.000"),
    Dump.answer(4, to: 1, score: -1, "<p>Hot!</p>", created: "2014-01-22T00:00:00.000"),
    Dump.question(5, "Alone?"), Dump.answer(6, to: 5, score: 1, "<p>Yes.</p>"),
    Dump.answer(7, to: 99, score: 1, "<p>Whose?</p>"),
    "  <row Id=\"8\" PostTypeId=\"5\" Score=\"0\" Body=\"wiki\" />\n",
  ])

  /// Counted by hand: 3 candidates; acceptance lifts answer 3 above answer 2.
  @Test func worldPMRule() throws {
    let made = try makePairs(Self.beer)
    #expect(made.ids == ["site-1-2-4", "site-1-3-2", "site-1-3-4"])
    let margins = made.all.sorted { ($0["id"]?.string ?? "") < ($1["id"]?.string ?? "") }
      .map { $0["margin"]?.integer }
    #expect(margins == [5, 1, 6])
    #expect(made.count(.rows) == 8 && made.count(.questions) == 2 && made.count(.answers) == 5)
    #expect(made.count(.other) == 1 && made.count(.orphan) == 1 && made.count(.unanswered) == 1)
    #expect(made.count(.candidates) == 3 && made.count(.pairs) == 3 && made.count(.malformed) == 0)
    #expect(made.report.inputs[0].notes.isEmpty)
  }

  @Test func aRowHasEverythingThatIsKnown() throws {
    let made = try makePairs(Self.beer)
    let row = try #require(made.all.first { $0["id"]?.string == "site-1-3-2" })
    let expected = try JSONValue(
      parsing: Array(
        #"""
        {"id":"site-1-3-2","source":"site",
        "messages":[{"role":"user","content":"How warm?\n\nA `beer`."}],
        "chosen":"Warm.","rejected":"Cold & fresh.","margin":1,"score_chosen":4,"score_rejected":4,
        "accepted":"chosen","chosen_later":true,"created_chosen":"2014-01-21T21:00:00",
        "created_rejected":"2014-01-21T20:40:00","url":"https://site.stackexchange.com/q/1",
        "url_chosen":"https://site.stackexchange.com/a/3",
        "url_rejected":"https://site.stackexchange.com/a/2","license":"CC BY-SA 3.0"}
        """#.utf8))
    #expect(row == expected)
  }

  /// What is written is what the readers of preference files read.
  @Test(arguments: ForumPairOptions.Compression.allCases)
  func theFilesAreRead(compression: ForumPairOptions.Compression) throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "Posts.xml")
      try Data(Self.beer.utf8).write(to: url)
      var options = ForumPairOptions()
      (options.validationFraction, options.testFraction) = (0, 0)
      options.compression = compression
      let target = folder.appending(path: "out")
      let report = try ForumPairsJob(
        [ForumInput(url, site: "beer")], to: target, options: options
      ).run()
      let file = target.appending(path: report.outputs[0].file)
      let (pairs, read) = try DataFile.preferencePairs(file)
      #expect(pairs.count == 3 && read.droppedCount == 0)
      #expect(Set(pairs.map(\.margin)) == [1, 5, 6])
      #expect(Set(pairs.map(\.source)) == ["beer"])
      let files = try FileManager.default.contentsOfDirectory(atPath: target.path).sorted()
      #expect(files == [report.outputs[1].file, "report.json", report.outputs[0].file])
    }
  }

  /// SHP: the better answer must be the later one; acceptance counts nothing.
  @Test func shpRule() throws {
    let rows = [
      Dump.question(1, "Which?", accepted: 2),
      Dump.answer(2, to: 1, score: 9, "early, best", created: "2012-01-01T10:00:00.000"),
      Dump.answer(3, to: 1, score: 2, "middle", created: "2012-01-01T11:00:00.000"),
      Dump.answer(4, to: 1, score: 5, "late", created: "2012-01-01T12:00:00.250"),
      Dump.answer(5, to: 1, score: 6, "a moment later", created: "2012-01-01T12:00:00.251"),
      Dump.answer(6, to: 1, score: 7, "when?", created: "yesterday"),
    ]
    let made = try makePairs(Dump.posts(rows)) { $0.rule = VoteRule(.shp) }
    #expect(made.ids == ["site-1-4-3", "site-1-5-3", "site-1-5-4"])
    #expect(made.count(.earlierWon) == 3 && made.count(.noTime) == 4)
    let ratio = try makePairs(Dump.posts(rows)) {
      $0.rule = VoteRule(.shp)
      $0.rule.minimumRatio = 3
    }
    #expect(ratio.ids == ["site-1-5-3"])
    #expect(
      ratio.count(.candidates) == 10 && ratio.count(.ratioTooSmall) == 7
        && ratio.count(.noTime) == 1
        && ratio.count(.earlierWon) == 1 && ratio.count(.pairs) == 1)
  }

  @Test func aRatioBelowOneVoteCountsFromOne() {
    var rule = VoteRule(.worldPM)
    rule.minimumRatio = 2
    func verdict(_ a: Int, _ b: Int) -> VoteRule.Verdict {
      rule.verdict(
        .init(score: a, isAccepted: false, time: 0), .init(score: b, isAccepted: false, time: 0))
    }
    #expect(verdict(2, -5) == .better(isFirst: true, margin: 7))
    #expect(verdict(1, -5) == .none(.ratioTooSmall))
    #expect(verdict(3, 2) == .none(.ratioTooSmall))
    #expect(verdict(2, 4) == .better(isFirst: false, margin: 2))
    #expect(verdict(.max, .min) == .better(isFirst: true, margin: .max))
  }

  @Test func margins() throws {
    let made = try makePairs(Self.beer) { $0.rule.minimumMargin = 5 }
    #expect(made.ids == ["site-1-2-4", "site-1-3-4"] && made.count(.marginTooSmall) == 1)
    let without = try makePairs(Self.beer) { $0.rule.acceptanceVotes = 0 }
    #expect(without.ids == ["site-1-2-4", "site-1-3-4"] && without.count(.tie) == 1)
  }

  /// The same pairs as ``ForumThread/votePairs(_:)`` takes, of all that it could take.
  @Test func pairsPerPost() throws {
    let answers = (0..<9).map { Dump.answer(10 + $0, to: 1, score: $0, "answer \($0)") }
    let content = Dump.posts([Dump.question(1, "Many")] + answers)
    let some = try makePairs(content) { $0.maximumPairsPerPost = 4 }
    #expect(some.count(.pairs) == 4 && some.count(.overLimit) == 32)
    var options = VotePairOptions()
    options.maximumPairsPerThread = 4
    let thread = ForumThread(
      site: "site", id: "1", title: "Many", body: "",
      answers: (0..<9).map {
        .init(id: "\(10 + $0)", score: $0, accepted: false, text: "answer \($0)")
      })
    #expect(some.all.compactMap { $0["id"]?.string } == thread.votePairs(options).map(\.id))
    let other = try makePairs(content) { ($0.maximumPairsPerPost, $0.seed) = (4, 1) }
    #expect(other.ids != some.ids && other.count(.pairs) == 4)
    let fewer = try makePairs(content) { $0.maximumAnswersPerPost = 3 }
    #expect(fewer.count(.pairs) == 3 && fewer.count(.answersOverLimit) == 6)
  }

  @Test func lengthLimits() throws {
    let rows = [
      Dump.question(1, "four", body: "é"), Dump.answer(2, to: 1, score: 1, "äöü"),
      Dump.answer(3, to: 1, score: 2, "abcd"), Dump.answer(4, to: 1, score: 3, " "),
      Dump.answer(5, to: 1, score: 4, "abcde"), Dump.answer(6, to: 1, score: 5, "<p>abcd</p>"),
    ]
    let made = try makePairs(Dump.posts(rows)) {
      ($0.minimumResponseCharacters, $0.maximumResponseCharacters) = (3, 4)
      $0.maximumPromptCharacters = 7
    }
    #expect(made.ids == ["site-1-3-2", "site-1-6-2"])
    #expect(made.count(.emptyAnswer) == 1 && made.count(.answerTooLong) == 1)
    #expect(made.count(.identical) == 1, "3 and 6 say the same")
    #expect(made.count(.unusable) == 7 && made.count(.candidates) == 10)
    let none = try makePairs(Dump.posts(rows)) { $0.maximumPromptCharacters = 6 }
    #expect(none.count(.promptTooLong) == 1 && none.count(.questionDropped) == 10)
    let short = try makePairs(Dump.posts(rows)) { $0.minimumResponseCharacters = 4 }
    #expect(short.count(.answerTooShort) == 1)
  }

  /// Case, tags, punctuation and white space make no difference; the first in the input stays.
  @Test func duplicatesOverSites() throws {
    func site(_ first: Int, _ title: String, _ body: String) -> Data {
      Data(
        Dump.posts([
          Dump.answer(first + 1, to: first, score: 1, "a"),
          Dump.answer(first + 2, to: first, score: 2, "b"),
          Dump.question(first, title, body: body),
        ]).utf8)
    }
    let files = [
      ("a.xml", site(1, "Same Words", "<p>in <b>both</b></p>")),
      ("b.xml", site(50, "same words", "<p>In both!</p>\n")),
      ("c.xml", site(70, "same words", "<p>In bothx</p>\n")),
    ]
    let made = try makePairs(files, sites: ["a", "b", "c"])
    #expect(made.ids == ["a-1-3-2", "c-70-72-71"] && made.count(.duplicate) == 1)
    let kept = try makePairs(files, sites: ["a", "b", "c"]) { $0.keepsDuplicates = true }
    #expect(kept.ids == ["a-1-3-2", "b-50-52-51", "c-70-72-71"] && kept.count(.duplicate) == 0)
  }

  /// A dump given twice, or a row that is in it twice, changes nothing but a count.
  @Test func repeatedPosts() throws {
    let data = Data(Self.beer.utf8)
    let made = try makePairs([("a.xml", data), ("b.xml", data)], sites: ["site", "site"])
    #expect(made.ids == ["site-1-2-4", "site-1-3-2", "site-1-3-4"])
    #expect(made.count(.repeated) == 7, "2 questions and 5 answers")
  }

  @Test func decontamination() throws {
    let words = (1...30).map { "w\($0)" }
    let leaked = words[4..<17].joined(separator: " ")
    let almost = words[4..<16].joined(separator: " ")
    let rows = [
      Dump.question(1, "One", body: "<p>so: W5, " + words[5..<17].joined(separator: "<br>") + "!"),
      Dump.answer(2, to: 1, score: 1, "a"), Dump.answer(3, to: 1, score: 2, "b"),
      Dump.question(4, "Two", body: almost), Dump.answer(5, to: 4, score: 1, "p"),
      Dump.answer(6, to: 4, score: 2, "see " + leaked), Dump.answer(7, to: 4, score: 3, "q"),
      Dump.question(8, "Three", body: "x"),
      Dump.answer(9, to: 8, score: 1, "Short, one: which <b>counts</b>!"),
      Dump.answer(10, to: 8, score: 2, "yes"), Dump.answer(11, to: 8, score: 4, "r"),
    ]
    let sets = [
      "{\"prompt\": \"\(words.joined(separator: " "))\", \"chosen\": \"k l m\", \"rejected\": \"n\"}\n",
      "{\"question\": \"yes\", \"answer\": \"short ONE which counts\"}\n",
    ]
    let made = try makePairs(Dump.posts(rows), testSets: sets)
    #expect(made.ids == ["site-4-7-5", "site-8-11-10"])
    #expect(made.report.testSets.map(\.dropped.questions) == [1, 0])
    #expect(made.report.testSets.map(\.dropped.answers) == [1, 1])
    #expect(made.report.testSets.map(\.texts) == [3, 2])
    let eight = try makePairs(Dump.posts(rows), testSets: sets) { $0.decontaminationWords = 12 }
    #expect(eight.count(.contaminatedPrompt) == 2)
    #expect(try makePairs(Dump.posts(rows)).count(.pairs) == 7)
  }

  /// Whole sites leave, and the rest is divided by question.
  @Test func heldOutSitesAndParts() throws {
    let many = Data(Dump.many(400).utf8)
    let files = [("a.xml", many), ("b.xml", many)]
    let made = try makePairs(files, sites: ["a", "b"], wholeTrain: false) {
      $0.keepsDuplicates = true
      $0.heldOutSites = ["b", "nowhere"]
    }
    #expect(made.rows["held-out"]?.count == 400)
    #expect(made.rows["held-out"]?.allSatisfy { $0["source"]?.string == "b" } == true)
    let parts = ["train", "validation", "test"].map { made.rows[$0] ?? [] }
    #expect(parts.reduce(0) { $0 + $1.count } == 400)
    #expect(parts.joined().allSatisfy { $0["source"]?.string == "a" })
    // Five standard deviations of a binomial are 30.
    #expect(abs(parts[1].count - 40) < 30 && abs(parts[2].count - 40) < 30)
    let split = try Split.trainValidationTest()
    for (name, rows) in made.rows where name != "held-out" {
      for row in rows {
        let prompt = row["messages"]?.array?.first?["content"]?.string ?? ""
        #expect(split.part(ofKey: prompt) == name)
      }
    }
    #expect(made.report.notes.count == 1 && made.report.notes[0].contains("'nowhere'"))
  }

  @Test(
    arguments: [
      ("2008-07-31T21:42:52.667", 1_217_540_572_667), ("1970-01-01T00:00:00", 0),
      ("2000-02-29T23:59:59.5", 951_868_799_500), ("1969-12-31T23:59:59.000", -1000),
      ("2012-01-01", 1_325_376_000_000), ("2012-01-01T00:00:00Z", 1_325_376_000_000),
      ("yesterday", Int64.min), ("2012-13-01T00:00:00", Int64.min), ("", Int64.min),
      ("2012-01-01T00:00:00+02:00", Int64.min), ("20120101", Int64.min),
    ] as [(String, Int64)])
  func times(text: String, milliseconds: Int64) {
    #expect(ForumTime.milliseconds(Array(text.utf8)) == milliseconds)
  }

  @Test func timesAreWrittenBack() {
    for text in ["2008-07-31T21:42:52", "1969-12-31T23:59:59", "2000-02-29T00:00:00"] {
      #expect(ForumTime.text(ForumTime.milliseconds(Array(text.utf8))) == text)
    }
    #expect(ForumTime.text(ForumTime.unknown) == "")
  }
}
