package publish

// LetterMessage is for tests of what pstest can't be sent: it takes 4 MB at most.
var LetterMessage = letterMessage
