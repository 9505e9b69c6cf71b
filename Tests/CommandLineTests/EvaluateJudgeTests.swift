import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `evaluate --judge-url`: a judge on this machine that is asked several times, for its verdicts alone.
@Suite struct EvaluateJudgeTests {
  typealias Reply = LoopbackServer.Reply

  /// A pair whose prompt, id and source are one word.
  private static func pair(_ name: String, source: String? = nil) -> String {
    "{\"id\": \"\(name)\", \"source\": \"\(source ?? name)\", \"prompt\": \"\(name)\", "
      + "\"chosen\": \"good\", \"rejected\": \"bad\"}"
  }

  /// Runs `evaluate` on pairs with these names.
  private static func evaluate(
    _ names: [String], _ server: LoopbackServer, _ arguments: [String] = []
  ) throws -> Program.Result {
    try withTemporaryDirectory { folder in
      let file = folder.appending(path: "pairs.jsonl")
      try lines(names.map { pair($0, source: "s") }).write(
        to: file, atomically: false, encoding: .utf8)
      return try Program.run(
        [
          "evaluate", "--judge-url", server.url(), "--data", file.path, "--json", "--judge-retries",
          "0",
          "--threads", "2",
        ] + arguments)
    }
  }

  /// The groups of a request.
  private static func groups(_ body: String) -> [JSONValue] {
    ((try? JSONValue(parsing: Array(body.utf8)))?["groups"]?.array) ?? []
  }

  /// What a judge of many moods says of a group: by its prompt and the number of the ask.
  private static func entry(_ group: JSONValue) -> String {
    let prompt = group["prompt"]?.array?.first?["content"]?.string ?? ""
    let responses = group["responses"]?.array?.compactMap(\.string) ?? []
    let ask = Int((group["id"]?.string ?? "").split(separator: "#").last ?? "") ?? 0
    let good = responses.firstIndex(of: "good") ?? -1
    return switch prompt {
    case "wrong": "{\"choice\": \(1 - good)}"
    case "split": "{\"choice\": \(ask == 4 ? 1 - good : good)}"
    case "first": "{\"choice\": 0}"
    case "flaky": ask == 2 ? "{\"scores\": [1]}" : "{\"choice\": \(good)}"
    case "tie": "{\"scores\": [3, 3]}"
    // Scores and log-odds are verdicts too, however large.
    case "sure":
      good == 0 ? #"{"scores": [0.2, 0.1]}"# : #"{"preference_logits": [[0, -9], [9, 0]]}"#
    default: "{}"
    }
  }

  private static func reply(_ body: String) -> Reply {
    let groups = groups(body)
    let prompt = groups.first?["prompt"]?.array?.first?["content"]?.string
    if prompt == "dead" { return Reply("", status: 500) }
    var reply = Reply("{\"groups\": [\(groups.map(entry).joined(separator: ", "))]}")
    if prompt == "slow" { reply.delay = 5 }
    return reply
  }

  @Test func verdictsAreMeasuredByTheirAgreement() throws {
    let server = try LoopbackServer { body, _ in Self.reply(body) }
    // The slow one last: the server answers one after the other.
    let names = ["sure", "wrong", "split", "first", "dead", "flaky", "tie", "slow"]
    let result = try Self.evaluate(names, server, ["--samples", "4", "--judge-timeout", "4"])
    let all = try #require(try result.rows().first)
    func number(_ keys: String...) throws -> Double {
      try #require(keys.reduce(all) { $0[$1] ?? .null }.number, "\(keys)")
    }

    // Every request asks four times about one pair, in both orders by turns.
    let requests = server.requests.map(Self.groups)
    let counts = requests.map(\.count)
    #expect(counts == [4, 4, 4, 4, 4, 4, 4, 4])
    for (name, request) in zip(names, requests) {
      let ids = request.compactMap { $0["id"]?.string }
      #expect(ids == ["\(name)#1", "\(name)#2", "\(name)#3", "\(name)#4"])
      let firsts = request.compactMap { $0["responses"]?.array?.first?.string }
      #expect(firsts[0] != firsts[1] && firsts[0] == firsts[2] && firsts[1] == firsts[3])
    }
    // Of two verdicts each, the first one counts: who always favours the first place is then right if the
    // chosen response was shown first.
    let shown = requests[3][0]["responses"]?.array?.first?.string
    let right = shown == "good" ? 1.0 : 0.0

    // Sure, wrong, split, first, flaky and tie are measured; the other two have no verdict.
    #expect(all["questions"]?.integer == 6)
    #expect(all["samples"]?.integer == 24)
    #expect(all["invalid_samples"]?.integer == 1)
    #expect(all["ties"]?.integer == 4)
    #expect(all["asks"]?.integer == 32 && all["failed_asks"]?.integer == 9)
    let failures = try #require(all["failures"]).serialized()
    #expect(failures == #"{"not understood":1,"status 500":4,"timed out":4}"#)
    #expect(all["dropped_reasons"]?.serialized() == #"{"no verdict":2}"#)
    #expect(result.errors.contains("9 of 32 asks gave no verdict; the first: "))
    expectClose(try number("accuracy"), (3 + right) / 6, absolute: 1e-12)
    // Confidence 1, 1, 3/4, 1/2, 3/4 and 1; right, wrong, right, either, right and wrong.
    expectClose(try number("agreement", "mean_confidence"), 5.0 / 6, absolute: 1e-12)
    // Squares 0, 1, 1/16, 1/4, 1/16 and 1.
    expectClose(try number("agreement", "brier"), 2.375 / 6, absolute: 1e-12)
    // Bins: at 1 a third is right of three, at 3/4 both of two, at 1/2 all or none of one: gaps of
    // 2/3, 1/4 and 1/2, times 3, 2 and 1.
    expectClose(try number("agreement", "ece"), 0.5, absolute: 1e-12)
    // 1, 1, 1/2, 0, 1 and 1.
    expectClose(try number("fsd", "mean_confidence"), 0.75, absolute: 1e-12)
    // The same, but for 1 - H(3/4) where the verdicts are split.
    let split = 1 + 0.75 * log2(0.75) + 0.25 * log2(0.25)
    expectClose(try number("entropy", "mean_confidence"), (4 + split) / 6, absolute: 1e-12)
    // The first place decides "first", and one order of "split" is a tie.
    expectClose(try number("order_flips"), 1.5 / 6, absolute: 1e-12)
    #expect(all["order_pairs"]?.integer == 6)
    let share = try number("first_place_share")
    #expect(share > 0.5 && share < 1)
    #expect(all["slices"] == nil)
  }

  /// Half of the verdicts go to the first place unless it is favoured.
  @Test func aPageShowsTheOrderAndTheMeasures() throws {
    let server = try LoopbackServer { body, _ in Self.reply(body) }
    try withTemporaryDirectory { folder in
      let page = folder.appending(path: "out.html")
      let result = try Self.evaluate(
        ["sure", "wrong"], server, ["--samples", "2", "--report", page.path])
      let all = try #require(try result.rows().first)
      #expect(all["first_place_share"]?.number == 0.5)
      #expect(all["order_flips"]?.number == 0)
      #expect(all["failed_asks"]?.integer == 0 && result.errors.isEmpty)
      let html = try String(contentsOf: page, encoding: .utf8)
      for text in [
        "Judge by its verdicts", "first-second distance", "Order of the responses",
        "verdicts for the first place", server.url(), "<svg",
      ] { #expect(html.contains(text), "\(text)") }
    }
  }

  /// Several sources have a table of their own, one source has none; ties are counted.
  @Test func aPageShowsEachSource() throws {
    let server = try LoopbackServer { body, _ in Self.reply(body) }
    try withTemporaryDirectory { folder in
      let (file, page) = (
        folder.appending(path: "pairs.jsonl"), folder.appending(path: "out.html")
      )
      func html(_ rows: [String]) throws -> String {
        try lines(rows).write(to: file, atomically: false, encoding: .utf8)
        let result = try Program.run([
          "evaluate", "--judge-url", server.url(), "--data", file.path, "--samples", "2",
          "--report", page.path,
        ])
        #expect(result.status == 0, "\(result.errors)")
        return try String(contentsOf: page, encoding: .utf8)
      }
      let several = try html([
        Self.pair("sure", source: "books"), Self.pair("tie", source: "films"),
      ])
      for text in ["Sources", "mean agreement", "books", "films", "ties among the verdicts"] {
        #expect(several.contains(text), "\(text)")
      }
      let one = try html([Self.pair("sure", source: "books")])
      #expect(!one.contains("mean agreement"))
    }
  }

  /// A judge that never answers is given up after a few pairs, with the reason.
  @Test func onlyAJudgeWithoutAnyVerdictIsFatal() throws {
    let server = try LoopbackServer { _, _ in Reply("no judge here", status: 503) }
    let many = try Self.evaluate((1...12).map { "p\($0)" }, server, ["--samples", "3"])
    #expect(many.status == 1 && many.output.isEmpty)
    #expect(many.errors.contains("expected a verdict, found none (asks: 24, pairs: 8)"))
    #expect(many.errors.contains("found 503"), "\(many.errors)")
    #expect(server.requests.count == 8)
    let few = try Self.evaluate(["p"], server, ["--samples", "1"])
    #expect(few.status == 1 && few.errors.contains("none (asks: 1, pairs: 1)"))
    server.stop()
    let gone = try Self.evaluate(["p"], server)
    #expect(gone.status == 1 && gone.errors.contains("no answer in 1 attempt:"))
  }

  static let usageCases: [(arguments: [String], words: [String])] = [
    (["--judge-url", "http://127.0.0.1:9/"], ["--data"]),
    (["--judge-url", "http://example.com/j", "--data", "x"], ["this machine", "'example.com'"]),
    (["--judge-url", "judge", "--data", "x"], ["--judge-url", "http://127.0.0.1:8000/judge"]),
    (["--judge-url", "http://127.0.0.1:9/", "--data", "x", "--model", "y"], ["--model"]),
    (["--judge-url", "http://127.0.0.1:9/", "--answers", "y"], ["--answers", "--judge-url"]),
    (["--judge-url", "http://127.0.0.1:9/", "--data", "x", "--slices", "source"], ["--slices"]),
    (["--judge-url", "http://127.0.0.1:9/", "--data", "x", "--samples", "0"], ["1 to 1000"]),
    (["--judge-url", "http://127.0.0.1:9/", "--data", "x", "--judge-timeout", "0"], ["above 0"]),
    (["--judge-url", "http://127.0.0.1:9/", "--data", "x", "--judge-retries", "-1"], ["retries"]),
    (["--model", "x", "--data", "y", "--samples", "4"], ["--samples", "--judge-url"]),
  ]

  @Test(arguments: usageCases) func misuseIsRefused(arguments: [String], words: [String]) throws {
    let result = try Program.run(["evaluate"] + arguments)
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.output.isEmpty)
    for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
  }
}
