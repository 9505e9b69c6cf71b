import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct ForumThreadTests {
  static func thread(_ votes: [(score: Int, accepted: Bool)]) -> ForumThread {
    ForumThread(
      site: "own", id: "1", title: "Title", body: "Body",
      answers: votes.enumerated().map {
        ForumThread.Answer(
          id: "\($0)", score: $1.score, accepted: $1.accepted, text: "answer \($0)")
      })
  }

  @Test func readsThreads() throws {
    let (threads, report) = try DataFile.forumThreads(fixture("threads.jsonl"))
    #expect(threads.count == 2 && report.rows == 2)
    #expect(threads[0].answers.map(\.netVotes) == [4, 4, -1, 9])
    #expect(threads[0].prompt == [user("How warm is a cat?\n\nMine feels warm.")])
    #expect(threads[1].prompt == [user("One answer only")])
    #expect(threads[1].answers[0].created == "")
  }

  /// Equal net votes make no pair, acceptance counts one vote, an empty answer is left out.
  @Test func worldPMRule() throws {
    let (pairs, report) = try DataFile.votePairs(fixture("threads.jsonl"))
    #expect(pairs.map(\.id) == ["own-1-a-c", "own-1-b-c"])
    #expect(pairs.map(\.margin) == [5, 5])
    #expect(pairs.allSatisfy { $0.rejected == "Cold." && $0.source == "own" })
    #expect(report.dropped == ["no two answers with different votes": 1])
    #expect(report.rows == 2 && report.kept == 2)
  }

  @Test func acceptanceBreaksATie() {
    let pairs = Self.thread([(3, false), (3, true), (4, false)]).votePairs()
    #expect(pairs.map(\.chosen) == ["answer 1", "answer 2"])
    #expect(pairs.map(\.rejected) == ["answer 0", "answer 0"])
  }

  @Test func marginAndLengthLimits() {
    let thread = Self.thread([(0, false), (2, false), (7, false)])
    var options = VotePairOptions()
    options.minimumMargin = 3
    #expect(thread.votePairs(options).map(\.margin) == [7, 5])
    options.maximumResponseCharacters = 7
    #expect(thread.votePairs(options).isEmpty)
    options = VotePairOptions()
    options.maximumPromptCharacters = 5
    #expect(thread.votePairs(options).isEmpty)
  }

  @Test func maximumIsDeterministicAndSeeded() {
    let thread = Self.thread((0..<12).map { ($0, false) })
    let all = thread.votePairs()
    #expect(all.count == 66)
    var options = VotePairOptions()
    options.maximumPairsPerThread = 5
    let some = thread.votePairs(options)
    #expect(some.count == 5 && some == thread.votePairs(options))
    #expect(some == all.filter(some.contains), "the order of the answers is kept")
    options.seed = 1
    #expect(thread.votePairs(options) != some)
  }

  @Test func extremeVotesDoNotOverflow() {
    let pairs = Self.thread([(.max, true), (.min, false)]).votePairs()
    #expect(pairs.count == 1 && pairs[0].chosen == "answer 0")
  }

  /// Counts made by a program of a few lines in another language over the same file.
  @Test func shippedThreads() throws {
    let (pairs, report) = try DataFile.votePairs(exampleData("forum-threads.jsonl.zst"))
    #expect(report.rows == 1414)
    #expect(pairs.count == 5793)
    #expect(pairs.reduce(0) { $0 + ($1.margin ?? 0) } == 27_979)
    #expect(report.dropped.isEmpty)
    #expect(Set(pairs.map(\.id)).count == pairs.count)
  }
}
