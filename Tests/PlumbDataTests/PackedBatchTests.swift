import Foundation
import PlumbData
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct PackedBatchTests {
  @Test func pairSharesItsPrompt() {
    let batch = PackedBatch([
      TokenGroup(prompt: [10, 11, 12], responses: [[20, 21], [30, 31, 32]], example: 7)
    ])
    #expect(batch.tokens == [10, 11, 12, 20, 21, 30, 31, 32])
    #expect(batch.rows == [2, 3, 2, 5, 6])
    #expect(batch.targets == [20, 21, 30, 31, 32])
    #expect(batch.targetCounts == [2, 3])
    #expect(batch.layout.positions == [0, 1, 2, 3, 4, 3, 4, 5])
    #expect(batch.layout.segments.map(\.prefix) == [nil, 0, 0])
    #expect(batch.finalRows == [4, 7])
    #expect(batch.responseRanges == [3..<5, 5..<8])
    #expect(batch.responseCounts == [2] && batch.examples == [7])
  }

  @Test func oneResponseIsOneSegment() {
    let batch = PackedBatch([
      TokenGroup(prompt: [1, 2], responses: [[3, 4]], example: 0),
      TokenGroup(prompt: [5], responses: [[6]], example: 1),
    ])
    #expect(batch.layout.segments.map(\.count) == [4, 2])
    #expect(batch.layout.positions == [0, 1, 2, 3, 0, 1])
    #expect(batch.rows == [1, 2, 4] && batch.targets == [3, 4, 6])
  }

  @Test func emptyPromptHasNoFirstTarget() {
    let batch = PackedBatch([TokenGroup(prompt: [], responses: [[1, 2, 3], [4, 5]], example: 0)])
    #expect(batch.layout.segments.map(\.prefix) == [nil, nil])
    #expect(batch.rows == [0, 1, 3] && batch.targets == [2, 3, 5])
    #expect(batch.targetCounts == [2, 1])
  }

  @Test func masksChooseTargets() {
    let batch = PackedBatch([
      TokenGroup(
        prompt: [1], responses: [[2, 3, 4]], isTarget: [[true, false, true]], example: 0)
    ])
    #expect(batch.rows == [0, 2] && batch.targets == [2, 4] && batch.targetCounts == [2])
  }

  @Test func responsesByPlace() {
    let batch = PackedBatch([
      TokenGroup(prompt: [1], responses: [[2], [3]], example: 0),
      TokenGroup(prompt: [1], responses: [[4]], example: 1),
      TokenGroup(prompt: [1], responses: [[5], [6], [7]], example: 2),
    ])
    #expect(batch.responses(atPlace: 0) == [0, 2, 3])
    #expect(batch.responses(atPlace: 1) == [1, 4])
    #expect(batch.responses(atPlace: 2) == [5])
  }

  /// Packed rows and targets are those of every sequence taken alone: the tokens that a target's
  /// row can see are exactly the prompt and the response before the target.
  @Test func packingChangesNothing() {
    var stream = RandomStream(seed: 5, purpose: "packing")
    let groups = (0..<40).map { index in
      TokenGroup(
        prompt: (0..<stream.uniform(below: 5)).map { _ in Int32(stream.uniform(below: 100)) },
        responses: (0..<(1 + stream.uniform(below: 4))).map { _ in
          (0..<(1 + stream.uniform(below: 6))).map { _ in Int32(stream.uniform(below: 100)) }
        }, example: index)
    }
    let batch = PackedBatch(groups)
    #expect(batch.tokens.count == batch.layout.tokenCount)
    var expected: [(context: [Int32], target: Int32)] = []
    for group in groups {
      for response in group.responses {
        for (offset, target) in response.enumerated() where offset > 0 || !group.prompt.isEmpty {
          expected.append((group.prompt + response[..<offset], target))
        }
      }
    }
    #expect(batch.targets == expected.map(\.target))
    for (number, row) in batch.rows.enumerated() {
      #expect(visible(from: row, in: batch) == expected[number].context)
    }
  }

  /// The tokens to which `row` attends, in the order of their positions.
  private func visible(from row: Int, in batch: PackedBatch) -> [Int32] {
    let segments = batch.layout.segments
    let own = segments.first { $0.start <= row && row < $0.start + $0.count }
    guard let own else { return [] }
    let prefix = own.prefix.map { segments[$0] }
    let before = prefix.map { batch.tokens[$0.start..<($0.start + $0.count)] } ?? []
    return Array(before) + batch.tokens[own.start...row]
  }

  @Test func badGroupsTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = TokenGroup(prompt: [1], responses: [[]], example: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = TokenGroup(prompt: [1], responses: [[2, 3]], isTarget: [[true]], example: 0)
    }
  }
}
