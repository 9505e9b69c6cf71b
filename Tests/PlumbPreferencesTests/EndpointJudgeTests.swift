import Foundation
import PlumbCheckpoints
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Testing

/// A judge over HTTP against a server on this machine.
@Suite struct EndpointJudgeTests {
  typealias Reply = LoopbackServer.Reply

  private func group(_ id: String, _ responses: [String], answer: String? = nil) -> JudgeGroup {
    var group = JudgeGroup(
      prompt: [Message(role: "user", content: "ask \(id)")], responses: responses,
      tokens: PreferenceGroup(
        prompt: [1], responses: responses.indices.map { [Int32($0)] }))
    group.id = id
    group.answer = answer
    return group
  }

  private func judge(
    _ server: LoopbackServer, timeout: Double = 10, retries: Int = 0, batchSize: Int = 16
  ) throws -> EndpointJudge {
    var options = EndpointJudge.Options()
    options.timeout = timeout
    options.retries = retries
    options.backoff = 0.01
    options.batchSize = batchSize
    return EndpointJudge(try EndpointAddress(server.url()), options: options)
  }

  /// What judging one group of two responses is refused with, where the server answers this.
  private func refusal(
    of reply: Reply, timeout: Double = 10, retries: Int = 0
  ) throws -> (text: String, requests: Int) {
    let server = try LoopbackServer { _, _ in reply }
    let judge = try judge(server, timeout: timeout, retries: retries)
    do {
      _ = try judge.judge(groups: [group("p7", ["a", "b"])])
    } catch {
      #expect(error is JudgeEndpointError)
      return ("\(error)", server.requests.count)
    }
    Issue.record("nothing was refused")
    return ("", 0)
  }

  @Test func theRequestIsTheDocumentedSchema() throws {
    let server = try LoopbackServer { _, _ in Reply(#"{"groups": [{"scores": [1, 2.5]}]}"#) }
    let judgement = try judge(server).judge(group("p1", ["x \"quoted\"\n", "y"], answer: "72"))
    #expect(judgement.scores == [1, 2.5])
    #expect(judgement.preferenceLogits == [[0, -1.5], [1.5, 0]])
    let request = try JSONValue(parsing: Array(try #require(server.requests.first).utf8))
    let expected = try JSONValue(
      parsing: Array(
        #"""
        {"version": 1, "groups": [{"id": "p1", "prompt": [{"role": "user", "content": "ask p1"}],
        "responses": ["x \"quoted\"\n", "y"], "answer": "72"}]}
        """#.utf8))
    #expect(request == expected)
  }

  @Test func tablesAndProbabilitiesAreNotDoubled() throws {
    let server = try LoopbackServer { _, number in
      Reply(
        number == 0
          ? #"{"groups": [{"preference_logits": [[0, 2], [-2, 0]], "scores": [5, 6]}]}"#
          : #"{"groups": [{"probabilities": [[0.5, 0.75], [0.25, 0.5]]}]}"#)
    }
    let table = try judge(server).judge(group("p", ["a", "b"]))
    #expect(table.preferenceLogits == [[0, 2], [-2, 0]])
    #expect(table.scores == [5, 6])
    let probabilities = try judge(server).judge(group("p", ["a", "b"]))
    expectClose(probabilities.preferenceLogits[0][1], log(3), absolute: 1e-12)
    expectClose(probabilities.probabilities[0][1], 0.75, absolute: 1e-12)
    #expect(probabilities.scores == nil)
  }

  /// A judge that knows only which response is best.
  @Test func aChoiceIsTheHighestScore() throws {
    let server = try LoopbackServer { _, _ in Reply(#"{"groups": [{"choice": 1}]}"#) }
    let judgement = try judge(server).judge(group("p", ["a", "b", "c"]))
    #expect(judgement.scores == [0, 1, 0])
    #expect(judgement.preferenceLogits == [[0, -1, 0], [1, 0, 1], [0, -1, 0]])
  }

  @Test func certainProbabilitiesStayFinite() throws {
    let server = try LoopbackServer { _, _ in
      Reply(#"{"groups": [{"probabilities": [[0.5, 1], [0, 0.5]]}]}"#)
    }
    let logits = try judge(server).judge(group("p", ["a", "b"])).preferenceLogits
    expectClose(logits[0][1], 13.8155, absolute: 1e-3)
    #expect(logits[0][1] == -logits[1][0])
  }

  @Test func equalResponsesAreAskedAboutOnceAndTie() throws {
    let server = try LoopbackServer { _, _ in Reply(#"{"groups": [{"scores": [4, 1]}]}"#) }
    let judgement = try judge(server).judge(group("p", ["a", "b", "a"]))
    #expect(judgement.scores == [4, 1, 4])
    #expect(judgement.preferenceLogits == [[0, 3, 0], [-3, 0, -3], [0, 3, 0]])
    #expect(try #require(server.requests.first).contains(#""responses":["a","b"]"#))
  }

  @Test func groupsAreSentInBatchesAndAnswersKeepTheirPlaces() throws {
    // Scores by the id of the prompt, whatever the batch.
    let server = try LoopbackServer { body, _ in
      let json = try? JSONValue(parsing: Array(body.utf8))
      let groups = json?["groups"]?.array ?? []
      let entries = groups.map { group in
        let id = group["id"]?.string ?? ""
        return "{\"id\": \"\(id)\", \"scores\": [\(id), -\(id)]}"
      }
      return Reply("{\"groups\": [\(entries.joined(separator: ", "))]}")
    }
    let groups = (1...5).map { group("\($0)", ["a", "b"]) }
    let cut = try judge(server, batchSize: 2).judge(groups: groups)
    #expect(server.requests.count == 3)
    let whole = try judge(server).judge(groups: groups)
    #expect(server.requests.count == 4)
    #expect(cut == whole)
    let first = cut.map { $0.scores?[0] }
    #expect(first == [1, 2, 3, 4, 5])
  }

  @Test(arguments: [
    ("oops, a page", "expected JSON, found 'oops, a page'"),
    ("", "expected JSON, found nothing"),
    (#"{"groups": [{"scores": [1, "#, "expected JSON"),
    ("[1, 2]", "expected an object with the list 'groups'"),
    (#"{"groups": []}"#, "expected a judgement on each of 1 groups, found 0"),
    (
      #"{"groups": [{"scores": [1]}]}"#,
      "prompt 'p7': expected 2 scores, one for each response, found 1"
    ),
    (
      #"{"groups": [{"scores": [1, NaN]}]}"#,
      "prompt 'p7': expected finite numbers in scores, found \"NaN\""
    ),
    (#"{"groups": [{"scores": [-Infinity, 1]}]}"#, "found \"-Infinity\""),
    (
      #"{"groups": [{"scores": [1, null]}]}"#,
      "prompt 'p7': expected finite numbers in scores, found null"
    ),
    (#"{"groups": [{"scores": [1, "NaN is text"]}]}"#, "found \"NaN is text\""),
    (
      #"{"groups": [{"scores": [1, -2e15]}]}"#,
      "prompt 'p7': expected numbers from -1e15 to 1e15 in scores, found -2"
    ),
    (#"{"groups": [{"scores": [1e39, 0]}]}"#, "to 1e15 in scores, found 1e+39"),
    (#"{"groups": [{"scores": 3}]}"#, "expected a list of scores, found a number"),
    (
      #"{"groups": [{"score": [1, 2]}]}"#,
      "expected scores, preference_logits, probabilities or choice, found the keys score"
    ),
    (
      #"{"groups": [null]}"#,
      "expected scores, preference_logits, probabilities or choice, found null"
    ),
    (#"{"groups": [{"id": "p8", "scores": [1, 2]}]}"#, "found one of 'p8'"),
    (
      #"{"groups": [{"error": "too long for me"}]}"#,
      "prompt 'p7': the judge declined: too long for me"
    ),
    (
      #"{"groups": [{"preference_logits": [[0, 1], [1, 0]]}]}"#,
      "that are opposite, found 1.0 and 1.0"
    ),
    (
      #"{"groups": [{"probabilities": [[0.5, 0.9], [0.4, 0.5]]}]}"#,
      "expected probabilities of (1, 0) and (0, 1) that add up to 1, found 0.4 and 0.9"
    ),
    (#"{"groups": [{"choice": 2}]}"#, "0 to 1, as choice, found 2"),
    (#"{"groups": [{"choice": "A"}]}"#, "0 to 1, as choice, found \"A\""),
    (
      #"{"groups": [{"choice": 0, "scores": [1, 0]}]}"#,
      "expected choice alone, or another judgement, found both"
    ),
    (
      #"{"groups": [{"preference_logits": [[0, 1]]}]}"#,
      "expected preference_logits of 2 rows, found 1 rows"
    ),
    (
      #"{"groups": [{"probabilities": [[0.5, 1.2], [-0.2, 0.5]]}]}"#,
      "expected probabilities from 0 to 1, found 1.2"
    ),
    (
      #"{"groups": [{"probabilities": [[0.5, 1], [0, 0.5]], "preference_logits": [[0, 1], [-1, 0]]}]}"#,
      "expected one of preference_logits and probabilities, found both"
    ),
  ])
  func garbageIsRefusedWithThePromptAndWhatWasFound(_ body: String, _ expected: String) throws {
    let (text, requests) = try refusal(of: Reply(body), retries: 2)
    #expect(text.contains(expected), "\(text)")
    #expect(text.contains("p7"), "\(text)")
    // Garbage is not asked for again.
    #expect(requests == 1)
  }

  @Test func otherStatusesAreRefusedAndThoseOfTheMomentTriedAgain() throws {
    let bad = try refusal(of: Reply("no such judge", status: 404), retries: 3)
    #expect(
      bad.text.contains(
        "prompt 'p7': expected status 200, found 404 in 1 attempt: 'no such judge'"))
    #expect(bad.requests == 1)
    let busy = try refusal(of: Reply("", status: 503), retries: 2)
    #expect(busy.text.contains("found 503 in 3 attempts"))
    #expect(busy.requests == 3)
    let recovering = try LoopbackServer { _, number in
      number < 2 ? Reply("", status: 500) : Reply(#"{"groups": [{"scores": [1, 2]}]}"#)
    }
    #expect(try judge(recovering, retries: 2).judge(group("p", ["a", "b"])).scores == [1, 2])
    #expect(recovering.requests.count == 3)
  }

  @Test func silenceTimesOut() throws {
    var late = Reply(#"{"groups": [{"scores": [1, 2]}]}"#)
    late.delay = 1.5
    let start = ContinuousClock.now
    let (text, _) = try refusal(of: late, timeout: 0.3, retries: 1)
    #expect(text.contains("prompt 'p7': no answer within 0.3 seconds in 2 attempts"), "\(text)")
    #expect(ContinuousClock.now - start < .seconds(1.4))
  }

  @Test func aDeadEndpointIsNamed() throws {
    let server = try LoopbackServer { _, _ in Reply() }
    server.stop()
    let dead = try judge(server, retries: 1)
    #expect(throws: JudgeEndpointError.self) { try dead.judge(group("p", ["a", "b"])) }
    var broken = Reply(#"{"groups": [{"scores": [1, 2]}]}"#)
    broken.breaksOff = true
    let (text, requests) = try refusal(of: broken, retries: 1)
    #expect(text.contains("no answer in 2 attempts"), "\(text)")
    #expect(requests == 2)
  }

  /// Followed, a redirect would take prompts and answers to an address that nobody allowed.
  @Test func redirectsAreNotFollowed() throws {
    let other = try LoopbackServer { _, _ in Reply(#"{"groups": [{"scores": [1, 2]}]}"#) }
    var reply = Reply("", status: 307)
    reply.headers = ["Location: \(other.url())"]
    let (text, _) = try refusal(of: reply)
    #expect(text.contains("found 307"), "\(text)")
    #expect(other.requests.isEmpty)
  }

  @Test(arguments: [
    "http://127.0.0.1:80/x", "http://127.1.2.3", "http://localhost:8000/judge",
    "http://[::1]:8000/",
    "http://LOCALHOST/",
  ])
  func thisMachineIsAllowed(_ address: String) throws { _ = try EndpointAddress(address) }

  @Test(arguments: [
    "http://example.com/judge", "http://127.0.0.1.example.com/", "http://127.0.0.1@example.com/",
    "http://0.0.0.0:80/", "http://10.0.0.1/", "http://128.0.0.1/", "http://127.0.0/",
    "http://[::2]/",
    "http://localhost.example.com/",
  ])
  func otherMachinesAreRefusedUnlessAllowed(_ address: String) throws {
    do {
      _ = try EndpointAddress(address)
      Issue.record("\(address) was allowed")
    } catch {
      #expect("\(error)".contains("would leave it"), "\(error)")
    }
    #expect(try EndpointAddress(address, allowsRemote: true).text == address)
  }

  @Test(arguments: [
    "", "judge", "https://127.0.0.1/", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://",
    "http:///x",
  ])
  func whatIsNoAddressIsRefused(_ address: String) {
    #expect(throws: JudgeEndpointError.self) { try EndpointAddress(address, allowsRemote: true) }
  }

  @Test func outcomesTellWhichGroupsFail() throws {
    let server = try LoopbackServer { body, number in
      number == 1
        ? Reply("", status: 400)
        : Reply(#"{"groups": [{"scores": [1, 2]}, {"scores": [1, null]}]}"#)
    }
    let judge = try judge(server, batchSize: 2)
    let groups = (1...6).map { group("\($0)", ["a", "b"]) }
    let failed = judge.outcomes(of: groups).map { outcome in
      if case .failure = outcome { true } else { false }
    }
    #expect(failed == [false, true, true, true, false, true])
    let skipped = SkippingJudge(judge).judge(groups: Array(groups.prefix(2)))
    let judged = skipped.map { $0.skipReason == nil }
    #expect(judged == [true, false])
    #expect(try #require(skipped[1].skipReason).contains("prompt '2'"))
  }
}
