import Foundation
import PlumbCheckpoints
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct RolloutStorageTests {
  /// A buffer in which everything that can be filled is, here and there.
  private func filled() throws -> RolloutBuffer {
    var (buffer, _, _) = try Tiny.buffer()
    buffer.groups[0].responses[1].text = "quotes \" and \\ and\nlines, 人間, 👩‍👩‍👧, \u{2028}, \u{0}"
    buffer.groups[0].preferenceLogits = [
      [0, 0.1, 1e-300], [-0.1, 0, 1 / 3], [-1e-300, -1 / 3, 0],
    ]
    buffer.groups[0].judge = "a judge"
    for (number, place) in buffer.places.enumerated() {
      let count = buffer[place].tokens.count
      let values = (0..<count).map { Float($0) / 3 + Float(number) * 1e-20 }
      buffer[place].score = number.isMultiple(of: 2) ? Float(number) / 7 : nil
      if number != 1 { buffer[place].referenceLogprobs = values.map { -$0 } }
      if number > 3 { buffer[place].advantages = values }
      buffer[place].returns = values.map { $0 * .leastNonzeroMagnitude }
    }
    return buffer
  }

  @Test func roundTripIsExact() throws {
    let buffer = try filled()
    try withTemporaryDirectory { folder in
      try buffer.write(to: folder, name: "step-000002")
      #expect(try RolloutBuffer(directory: folder, name: "step-000002") == buffer)
      let first = try Data(contentsOf: folder.appending(path: "step-000002.jsonl.zst"))
      try buffer.write(to: folder, name: "again")
      #expect(try Data(contentsOf: folder.appending(path: "again.jsonl.zst")) == first)
    }
  }

  @Test func emptyBuffer() throws {
    let buffer = RolloutBuffer(groups: [], provenance: .init(source: .sampled, origin: "none"))
    try withTemporaryDirectory { folder in
      try buffer.write(to: folder)
      #expect(try RolloutBuffer(directory: folder) == buffer)
    }
  }

  @Test func filesThatDoNotFitAreRefused() throws {
    let buffer = try filled()
    var shorter = buffer
    shorter.groups.removeLast()
    try withTemporaryDirectory { folder in
      try buffer.write(to: folder, name: "a")
      try shorter.write(to: folder, name: "b")
      let manager = FileManager.default
      try manager.copyItem(
        at: folder.appending(path: "a.jsonl.zst"), to: folder.appending(path: "c.jsonl.zst"))
      try manager.copyItem(
        at: folder.appending(path: "b.safetensors"), to: folder.appending(path: "c.safetensors"))
      #expect {
        try RolloutBuffer(directory: folder, name: "c")
      } throws: { error in
        "\(error)".contains("c.safetensors: 'behaviour_logprobs' has")
      }
      try LineWriter.write(["{\"id\": 3}"], to: folder.appending(path: "c.jsonl.zst"))
      #expect {
        try RolloutBuffer(directory: folder, name: "c")
      } throws: { error in
        "\(error)".contains("c.jsonl.zst: line 1 is not a rollout group")
      }
      #expect(throws: (any Error).self) { try RolloutBuffer(directory: folder, name: "missing") }
    }
  }

  @Test func badBuffersAreNotWritten() throws {
    let good = try Tiny.buffer().buffer
    func expectRefused(_ expected: RolloutError, _ change: (inout RolloutBuffer) -> Void) throws {
      var bad = good
      change(&bad)
      try withTemporaryDirectory { folder throws in
        #expect(throws: expected) { try bad.write(to: folder.appending(path: "new")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
      }
    }
    try expectRefused(.notFinite(group: 1, response: 2, what: "score")) {
      $0.groups[1].responses[2].score = .nan
    }
    try expectRefused(.notFinite(group: 0, response: 0, what: "behaviour_logprobs")) {
      $0.groups[0].responses[0].behaviourLogprobs[0] = -.infinity
    }
    try expectRefused(.emptyResponse(group: 2, response: 1)) {
      $0.groups[2].responses[1].tokens = []
    }
    try expectRefused(.emptyPrompt(row: 0)) { $0.groups[0].promptTokens = [] }
    let count = good.groups[0].responses[0].tokens.count
    try expectRefused(
      .wrongLength(
        group: 0, response: 0, field: "advantages", expected: count, found: count + 1)
    ) { $0.groups[0].responses[0].advantages = [Float](repeating: 0, count: count + 1) }
    for table: [[Double]] in [
      [[0, 1], [-1, 0]], [[0, 1, 2], [-1, 0, 3], [-2, -2, 0]],
      [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
      [[0, .nan, 0], [.nan, 0, 0], [0, 0, 0]],
    ] {
      var bad = good
      bad.groups[0].preferenceLogits = table
      #expect(throws: RolloutError.self) { try bad.validate() }
    }
  }

  @Test func padMustNotEndATurn() {
    #expect(throws: RolloutError.padIsEnd(id: 2)) {
      try RolloutBuffer.requirePadApart(padTokenID: 2, endOfTurn: 2)
    }
    #expect(throws: Never.self) {
      try RolloutBuffer.requirePadApart(padTokenID: 0, endOfTurn: 2)
      try RolloutBuffer.requirePadApart(padTokenID: nil, endOfTurn: 2)
    }
  }

  @Test func descriptionIsReadable() throws {
    let text = try filled().describe(groups: 1, width: 40)
    #expect(text.hasPrefix("3 groups, 9 responses,"))
    #expect(text.contains("sampled from tiny, step 2"))
    #expect(text.contains("[sky]"))
    #expect(text.contains("judged by a judge"))
    #expect(text.contains("  user: Why is the sky blue?"))
    #expect(text.contains("quotes \" and \\ and⏎lines"))
    #expect(text.contains("score 0.0"))
    #expect(text.contains("… and 2 more groups"))
  }
}
