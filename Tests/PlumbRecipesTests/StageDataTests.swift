import Foundation
import PlumbData
import Testing

@testable import PlumbRecipes

@Suite struct StageDataTests {
  static let parts = ["train", "judge", "validation", "test"]
  static let sets = ["forum", "preferences", "demonstrations", "prompts"]

  @Test func noPromptIsInTwoParts() throws {
    let world = try TinyWorld.shared()
    var parts: [String: Set<String>] = [:]
    for part in Self.parts {
      for set in Self.sets {
        let file = URL(filePath: world("data/\(set).\(part).jsonl.zst"))
        for row in try DataFile.prompts(file).rows {
          parts[row.promptKey, default: []].insert(part)
        }
      }
    }
    // Pairs, demonstrations and prompts share their prompts; those of the threads are others.
    #expect(parts.count == TinyData.tasks.count + TinyData.threads.count)
    #expect(parts.values.allSatisfy { $0.count == 1 })
    #expect(Set(parts.values.joined()) == Set(Self.parts))
  }

  @Test func figuresAreTheNumbersOfRows() throws {
    let world = try TinyWorld.shared()
    var total: [String: Int] = [:]
    for set in Self.sets {
      for part in Self.parts {
        let file = URL(filePath: world("data/\(set).\(part).jsonl.zst"))
        let rows = try DataFile.prompts(file).rows.count
        let figure = try StageLearningTests.figure("data/\(set)_\(part)")
        #expect(figure.value == Double(rows))
        #expect(figure.unit == "rows")
        total[set, default: 0] += rows
      }
    }
    #expect(total["preferences"] == TinyData.pairs.count)
    #expect(total["demonstrations"] == TinyData.demonstrations.count)
    #expect(total["prompts"] == TinyData.tasks.count)
    // Three answers of different votes make three pairs.
    #expect(total["forum"] == 3 * TinyData.threads.count)
  }

  @Test func aShareOfNothingLeavesThePartEmpty() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let yaml = """
      name: shares
      stages:
        data: {preferences: ['\(world.data("pairs.jsonl"))'], judge_share: 0, train_share: 0.8}
      """
    let summary = try runTiny(yaml, in: folder.url)
    let values = Dictionary(uniqueKeysWithValues: summary.figures.map { ($0.name, $0.value) })
    #expect(values["data/preferences_judge"] == 0)
    #expect(try #require(values["data/preferences_train"]) > 250)
    #expect(folder.exists("stages/data/preferences.judge.jsonl.zst"))
  }
}
