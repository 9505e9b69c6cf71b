import Foundation
import PlumbData
import PlumbPreferences
import Testing

@testable import PlumbRecipes

/// Whose pairs go to which member of a mixture.
@Suite struct PeopleAssignmentTests {
  typealias Source = PeopleAssignment.Source

  private func assignment(
    _ grouping: MaxMinConfiguration.Grouping, _ sources: [Source]
  ) -> PeopleAssignment {
    PeopleAssignment(
      groupBy: grouping, groupField: "group", annotatorsPerSource: 2, seed: 9, sources: sources)
  }

  @Test func aRowIsOfTheSourceThatTakesItsRows() {
    let people = assignment(
      .source,
      [
        Source(name: "a", rows: ["x", "both"], members: ["a": 0]),
        Source(name: "b", rows: ["a", "both"], members: ["b": 1]),
        Source(name: "c", rows: [], members: ["c": 2]),
      ])
    let found = ["x", "a", "b", "both", "other", nil].map {
      people.member(source: $0, annotator: nil, promptKey: "p")
    }
    // "a" is a row of b before it is a name; "both" may be either's; what no list has is c's.
    #expect(found == [0, 1, 1, nil, 2, 2])
  }

  @Test func annotatorsAndMadeUpPeopleHaveTheirGroups() {
    let annotators = assignment(
      .annotator, [Source(name: "a", rows: [], members: ["a/1": 1, "a": 0])])
    let found = ["1", "2", nil].map {
      annotators.member(source: "a", annotator: $0, promptKey: "p")
    }
    #expect(found == [1, nil, 0])
    let dealt = assignment(.dealt, [Source(name: "a", rows: [], members: ["a/1": 0, "a/2": 1])])
    for prompt in ["p", "q", "r", "s", "t"] {
      let expected = Int(StableHash.of(prompt, seed: 9) % 2)
      #expect(dealt.member(source: "a", annotator: "1", promptKey: prompt) == expected, "\(prompt)")
    }
  }

  @Test func anAssignmentToAMemberThatIsNotThereIsRefused() throws {
    let folder = try TemporaryFolder()
    var entry = ModelIndex.Entry(
      name: "m", scheme: "mixture", seed: 1, members: ["x", "y"], rule: .mean, accuracy: nil,
      ece: nil, people: assignment(.source, [Source(name: "a", rows: [], members: ["a": 1])]))
    try ModelIndex(models: [entry]).write(to: folder.url)
    #expect(try #require(try ModelIndex.read(from: folder.url)).models == [entry])
    entry.people?.sources[0].members["a"] = 2
    try ModelIndex(models: [entry]).write(to: folder.url)
    do {
      _ = try ModelIndex.read(from: folder.url)
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("people of member 2, expected 0 to 1"), "\(error)")
    }
  }
}
