package plan_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

func ExampleDiff() {
	before := plan.File([]byte("server {\n\tlisten 80;\n}\n"), 0o644)
	after := plan.File([]byte("server {\n\tlisten 8080;\n}\n"), 0o644)
	fmt.Print(plan.Diff("/etc/nginx/conf.d/site.conf", before, after))
	// Output:
	// diff --git a/etc/nginx/conf.d/site.conf b/etc/nginx/conf.d/site.conf
	// index 715b8b0..30ee4b8 100644
	// --- a/etc/nginx/conf.d/site.conf
	// +++ b/etc/nginx/conf.d/site.conf
	// @@ -1,3 +1,3 @@
	//  server {
	// -	listen 80;
	// +	listen 8080;
	//  }
}

func file(content string) *plan.State { return plan.File([]byte(content), 0o644) }

func TestDiffsReadAsGitWritesThem(t *testing.T) {
	for name, tt := range map[string]struct {
		path          string
		before, after *plan.State
		want          string
	}{
		"nothing on both sides":      {"/f", nil, &plan.State{}, ""},
		"equal files":                {"/f", file("x\n"), file("x\n"), ""},
		"equal but for the owner":    {"/f", &plan.State{Exists: true, Mode: 0o644, UID: 33}, file(""), ""},
		"links of different mode":    {"/l", &plan.State{Exists: true, Mode: fs.ModeSymlink | 0o777, Target: "t"}, plan.Link("t"), ""},
		"a created file":             {"/d/f", nil, file("x\n"), "diff --git a/d/f b/d/f\nnew file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ b/d/f\n@@ -0,0 +1 @@\n+x\n"},
		"a deleted file":             {"/f", file("x\n"), nil, "diff --git a/f b/f\ndeleted file mode 100644\nindex 587be6b..0000000\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"},
		"a created empty file":       {"/f", nil, file(""), "diff --git a/f b/f\nnew file mode 100644\nindex 0000000..e69de29\n"},
		"a deleted empty file":       {"/f", file(""), nil, "diff --git a/f b/f\ndeleted file mode 100644\nindex e69de29..0000000\n"},
		"a mode alone":               {"/f", file("x"), plan.File([]byte("x"), 0o600), "diff --git a/f b/f\nold mode 100644\nnew mode 100600\n"},
		"a newline at the end":       {"/f", file("x"), file("x\n"), "diff --git a/f b/f\nindex c1b0730..587be6b 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"},
		"a retargeted link":          {"/l", plan.Link("a"), plan.Link("b"), "diff --git a/l b/l\nindex 2e65efe..63d8dbd 120000\n--- a/l\n+++ b/l\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"},
		"a file that becomes a link": {"/l", file(""), plan.Link("b"), "diff --git a/l b/l\ndeleted file mode 100644\nindex e69de29..0000000\ndiff --git a/l b/l\nnew file mode 120000\nindex 0000000..63d8dbd\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+b\n\\ No newline at end of file\n"},
		"a name to be quoted":        {"/a b\t\"é", nil, file(""), "diff --git \"a/a b\\011\\\"\\303\\251\" \"b/a b\\011\\\"\\303\\251\"\nnew file mode 100644\nindex 0000000..e69de29\n"},
		"content that is not UTF-8":  {"/f", file("caf\xe9\n"), file("café\n"), "Binary files a/f and b/f differ\n"},
		"a NUL byte":                 {"/f", nil, file("\x00"), "Binary files /dev/null and b/f differ\n"},
		"a link to what is no text":  {"/l", file("x"), plan.Link("\xff"), "Binary files a/l and b/l differ\n"},
		"a mode of what is no text":  {"/f", file("\xff"), plan.File([]byte("\xff"), 0o600), "diff --git a/f b/f\nold mode 100644\nnew mode 100600\n"},
	} {
		t.Run(name, func(t *testing.T) {
			is.New(t).Equal(plan.Diff(tt.path, tt.before, tt.after), tt.want)
		})
	}
}

func TestFarChangesGetHunksOfTheirOwn(t *testing.T) {
	is := is.New(t)
	numbers := func(without ...int) *plan.State {
		var b strings.Builder
		for i := range 40 {
			if len(without) == 0 || i != without[0] && i != without[1] {
				fmt.Fprintln(&b, i)
			}
		}
		return file(b.String())
	}
	near := plan.Diff("/f", numbers(), numbers(10, 17)) // six equal lines between: twice the context
	far := plan.Diff("/f", numbers(), numbers(10, 18))
	is.Equal(strings.Count(near, "\n@@ "), 1)
	is.Equal(strings.Count(far, "\n@@ "), 2)
	is.True(strings.Contains(near, "@@ -8,14 +8,12 @@\n"))
	is.True(strings.Contains(far, "@@ -8,7 +8,6 @@\n"))
	is.True(strings.Contains(far, "@@ -16,7 +15,6 @@\n"))
}

// Versions of go-diff before 1.4.0 compare the digits of line numbers instead of lines, which shows from two-digit ones on.
func TestManyDistinctLinesKeepTheirBounds(t *testing.T) {
	for _, n := range []int{130, 3_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			is := is.New(t)
			before := numbered(n, 1)
			after := strings.NewReplacer("line 5\n", "five\n", fmt.Sprintf("line %d\n", n-5), "late\n").Replace(before)
			d := plan.Diff("/f", file(before), file(after))
			is.Equal(strings.Count(d, "\n-line "), 2)
			is.Equal(strings.Count(d, "\n+"), 3) // one is the header's
			is.Equal(applyDiff(t, file(before), d), file(after))
		})
	}
}

// The library gives each distinct line a code point; beyond 55,295 of them it has to jump over the surrogates.
func TestMoreDistinctLinesThanCodePointsBelowTheSurrogates(t *testing.T) {
	is := is.New(t)
	before, after := numbered(60_000, 1), "new\n"+numbered(60_000, 100)
	d := plan.Diff("/f", file(before), file(after))
	is.Equal(strings.Count(d, "\n-line "), 60_000-600)
	is.Equal(applyDiff(t, file(before), d), file(after))
}

func numbered(n, step int) string {
	var b strings.Builder
	for i := 0; i < n; i += step {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestHugeChangesAreShownAsOneReplacement(t *testing.T) {
	is := is.New(t)
	before, after := strings.Repeat("a\nb\n", 10_000), strings.Repeat("b\nc\n", 10_000)
	started := time.Now()
	d := plan.Diff("/f", file(before), file(after))
	is.True(time.Since(started) < 5*time.Second)
	is.True(strings.Contains(d, "\n@@ -1,20000 +1,20000 @@ too large to compare line by line\n"))
	is.Equal(applyDiff(t, file(before), d), file(after))
}

func FuzzDiff(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), []byte("a\nc"), uint8(0), uint8(0))
	f.Add([]byte("--- a/x\n+++ b/x\n@@ -1 +1 @@\n"), []byte("\\ No newline at end of file\r\n"), uint8(0), uint8(1))
	f.Add([]byte("x"), []byte("target"), uint8(0), uint8(2))
	f.Add([]byte("\xff"), []byte{0}, uint8(3), uint8(0))
	f.Fuzz(func(t *testing.T, a, b []byte, beforeKind, afterKind uint8) {
		is := is.New(t)
		before, after := stateOfKind(a, beforeKind), stateOfKind(b, afterKind)
		d := plan.Diff("/dir/f", before, after)
		is.Equal(d, plan.Diff("/dir/f", before, after)) // the same each time
		if strings.HasPrefix(d, "Binary files ") {
			is.True(!isText(before) || !isText(after))
			return
		}
		is.Equal(applyDiff(t, before, d).String(), after.String())
	})
}

func stateOfKind(content []byte, kind uint8) *plan.State {
	switch kind % 4 {
	case 0:
		return plan.File(content, 0o644)
	case 1:
		return plan.File(content, 0o600)
	case 2:
		return plan.Link(string(content))
	default:
		return nil
	}
}

func isText(s *plan.State) bool {
	content := ""
	if s != nil {
		content = string(s.Content) + s.Target
	}
	return strings.ToValidUTF8(content, "") == content && !strings.Contains(content, "\x00")
}

func BenchmarkDiffOfAThousandCreatedRoutes(b *testing.B) {
	vhost := file(strings.Repeat("    proxy_set_header X-Forwarded-Proto $scheme;\n", 80))
	for b.Loop() {
		for range 1000 {
			plan.Diff("/etc/nginx/sites-available/fpai-alpha.conf", nil, vhost)
		}
	}
}
