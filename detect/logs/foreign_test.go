package logs

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What cannot be read is named as what it is.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	workbook := archiveWith(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<workbook/>")
	tests := []struct{ name, file, text, want string }{
		{"an Excel workbook", "SigninLogs.xlsx", workbook, "an Excel workbook: save it as CSV"},
		{"an Excel workbook by another name", "SigninLogs.csv", workbook, "an Excel workbook: save it as CSV"},
		{"a spreadsheet of LibreOffice", "SigninLogs.ods", archiveWith(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", "<x/>"),
			"an OpenDocument file, such as a spreadsheet of LibreOffice: save it as CSV"},
		{"an HTTP archive", "x.json", `{"log":{"version":"1.2","creator":{"name":"x"},"entries":[{"startedDateTime":"2026-03-17T09:00:00Z","time":12.3}]}}`,
			"an HTTP archive (HAR) of a browser, which holds no records"},
		{"incidents of the API", "x.json", `{"value":[{"id":"/subscriptions/s/x","name":"1","type":"Microsoft.SecurityInsights/Incidents","properties":{"title":"x","createdTimeUtc":"2026-03-17T09:00:00Z"}}]}`,
			`the first of "value" is a resource of Azure's management ("Microsoft.SecurityInsights/Incidents"), and no record of a log`},
		{"an incident of the API", "x.json", `{"id":"/subscriptions/s/x","name":"1","type":"Microsoft.SecurityInsights/Incidents","properties":{"title":"x"}}`,
			`a resource of Azure's management ("Microsoft.SecurityInsights/Incidents"), and no record of a log`},
		{"records without a time", "x.json", `{"value":[{"id":1,"mail":"a@b.example"}]}`, `what is in "value" has no time of a log record, such as TimeGenerated`},
		{"bytes", "SigninLogs.json", strings.Repeat("\x01\x02k\x83\n\x9e", 50), "no text, but bytes in a format that is not known"},
		{"an old one", "SigninLogs.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind"},
		{"Parquet", "SigninLogs.parquet", "PAR1\x15\x00", "the Parquet file is cut off; copy the file again"},
		{"Parquet without its end", "SigninLogs.parquet", "PAR1" + strings.Repeat("x", 40), "the Parquet file is cut off: its end, which says what is in it, is missing"},
		{"encrypted Parquet", "SigninLogs.parquet", "PARE" + strings.Repeat("x", 40), "an encrypted Parquet file, which is not read"},
		{"Parquet in gzip", "SigninLogs.parquet.gz", zipped(t, "PAR1"+strings.Repeat("x", 40)), "the Parquet file is cut off: its end"},
		{"Avro", "capture.avro", "Obj\x01\x04", "an Avro file, such as Event Hubs Capture writes"},
		{"a web page", "signins.json", "<!DOCTYPE html>\n<html>", "a web page: the download was most likely the page to sign in"},
		{"XML", "signins.json", "<?xml version=\"1.0\"?>", "XML, which is not read"},
		{"an ARM template", "signins.json", `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","resources":[]}`,
			"an ARM template, which holds no records"},
		{"an ARM template, pretty-printed", "signins.json", "{\n  \"$schema\": \"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#\",\n  \"resources\": []\n}",
			"an ARM template, which holds no records"},
		{"an error", "signins.json", `{"error":{"code":"Authentication_RequestFromNonPremiumTenant","message":"Tenant is not premium"}}`,
			`an error that the API answered in place of records: "Authentication_RequestFromNonPremiumTenant": "Tenant is not premium"`},
		{"another list of Graph", "users.json", `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id,mail)","value":[{"id":"1","mail":"a@b.example"}]}`,
			`an answer of Microsoft Graph of "users"; the lists that are read are auditLogs/signIns`},
		{"a list on a console", "signins.txt", "\nTimeGenerated     : 17/03/2026\nUserPrincipalName : ana\n", "what a console shows of records, which is neither JSON nor CSV: in PowerShell export them with ConvertTo-Json"},
		{"a table on a console", "signins.txt", "TimeGenerated  UserPrincipalName\n-------------  -----------------\n17/03/2026     ana\n", "what a console shows of records"},
		{"a table in Markdown", "signins.txt", "| TimeGenerated | ResultType |\n|---|---|\n| 17/03/2026 | 0 |\n", "a table in Markdown, which is not read"},
		{"YAML of the Azure CLI", "signins.yaml", "- AppDisplayName: x\n  TimeGenerated: '2026-03-17'\n", "YAML, which is not read: export the records as JSON"},
		{"JSON in colours", "signins.json", "\x1b[39;49;00m[\x1b[39;49;00m\n", "JSON in the colours of a terminal, as -o jsonc has it"},
		{"a query of Power BI", "query.txt", "/*\nThe exported Power Query Formula Language (M Language ) can be used with Power Query in Excel\n*/\n", "a query of Power BI and not its result"},
		{"a query", "query.kql", "// rejections\nSigninLogs\n| where ResultType == 500121\n", "a query and not its result; run it with query --file"},
		{"CEF", "cef.log", "Mar 17 09:02:13 h CEF:0|Microsoft|x|1|1|n|5|src=192.0.2.1\n", "events in CEF or LEEF, which are not read"},
		{"LEEF", "leef.log", "LEEF:1.0|x|y|1|z|\n", "events in CEF or LEEF, which are not read"},
		{"events of az monitor activity-log", "x.json", `[{"eventTimestamp":"2026-03-17T10:00:00Z","category":{"value":"Administrative"},"caller":"ana"}]`,
			"an event of an activity log as Azure's management lists it, which is not read: export AzureActivity"},
		{"what Python prints", "signins.json", "[{'TimeGenerated': '2026-03-17'}]", "what Python shows of records, which is no JSON"},
		{"what Python prints of one", "signins.json", "{'TimeGenerated': '2026-03-17'}", "what Python shows of records, which is no JSON"},
		{"an ARM template that holds something with a time", "x.json", `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","resources":[{"time":"2026-03-17T10:00:00Z"}]}`,
			"an ARM template, which holds no records"},
		{"documents of Elastic that do not keep the original", "x.json", `{"@timestamp":"2026-03-17T10:00:00Z","azure":{"signinlogs":{"category":"SignInLogs"}}}`,
			"a document of Elastic, whose fields are not those of the log, and which does not keep the original"},
		{"a token", "x.json", `{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0.eyJh.x"}`, "an answer to a sign-in, with an access token, and no records"},
		{"a token of the Azure CLI", "x.json", "{\n  \"accessToken\": \"eyJ0.eyJh.x\",\n  \"tokenType\": \"Bearer\"\n}", "an answer to a sign-in, with an access token"},
		{"a key", "key.pem", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "a key or a certificate in PEM, which holds no records"},
		{"a rule in YAML", "rule.yml", "---\nname: x\n", "YAML, such as a rule is in"},
		{"an index that is no action of Elastic's bulk format", "x.ndjson", `{"index":{"_index":"x","name":1}}`, "TimeGenerated is missing"},
		{"a tar archive", "x.tar", strings.Repeat("x", 257) + "ustar" + strings.Repeat("\x00", 300), "a tar archive, which is not read"},
		{"bzip2", "x.json.bz2", "BZh91AY&SY", "compressed with bzip2, which is not read"},
		{"a damaged zip archive", "x.zip", zipMagic + "xxxx", "the zip archive is damaged"},
		{"a zip archive of nothing", "x.zip", archiveWith(t, "a.md", "text", "b/", ""), "a zip archive without a file of a kind that is read"},
		{"a zip archive in gzip", "x.zip.gz", zipped(t, archiveWith(t, "SigninLogs.json", goodLine)), "a zip archive, which is read only as a file of its own"},
		{"a bomb", "x.zip", bomb(t), "a zip archive that holds more than it can"},
		{"a pointer of Git LFS", "SigninLogs.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"},
		{"the portal in another language", "x.csv", "Date (UTC),ID de la demande,Adresse IP\n2026-03-17T10:00:00Z,i,192.0.2.1\n",
			"the columns are named in another language than English; set the portal's language to English"},
		{"the portal's authentication details", "InteractiveSignIns_AuthDetails_2026-03-17.csv",
			"Date (UTC),Request ID,Authentication method,Authentication method detail,Succeeded,Result detail\n2026-03-17T10:00:00Z,i,Password,Password in the cloud,true,x\n",
			"the steps of sign-ins that another download has (AuthDetails): download the sign-ins as JSON, which has both"},
		{"zstd that is cut off", "SigninLogs.json.zst", zstded(t, strings.Repeat(goodLine+"\n", 9))[:20], "the zstd data is cut off"},
		{"zstd that is damaged", "SigninLogs.json.zst", "\x28\xb5\x2f\xfd" + strings.Repeat("\xff", 20), "the zstd data "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(Options{}, tt.file, tt.text)
			var unusable *FileError
			if !errors.As(err, &unusable) || !strings.Contains(err.Error(), tt.file+" holds nothing that can be read\n  "+tt.file) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "eyJ0") || strings.Contains(err.Error(), "MIIE")) {
				t.Errorf("the secret is in the error %v", err)
			}
		})
	}
}

// bomb makes a zip archive whose entries say that they are larger than they can
// be.
func bomb(t *testing.T) string {
	text := archiveWith(t, "SigninLogs.json", goodLine)
	at := strings.Index(text, "PK\x01\x02")
	return text[:at+24] + "\xff\xff\xff\xfe" + text[at+28:]
}

// A folder may hold all sorts of files beside its logs.
func TestForeignFilesInFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"SigninLogs.json": goodLine,
		"template.json":   `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"}`,
		"notes.txt":       "Ask Ana about these.\n",
		"book.xlsx":       "PK",
		"book.csv":        archiveWith(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<workbook/>"),
	})
	l, err := Read(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	inside := func(name string) string { return filepath.Join(dir, name) }
	if diff := cmp.Diff([]Skipped{
		{inside("book.xlsx"), "an Excel workbook: save it as CSV"},
		{inside("book.csv"), "an Excel workbook: save it as CSV"},
		{inside("notes.txt"), "a text without records: neither JSON nor CSV with a column TimeGenerated"},
		{inside("template.json"), "an ARM template, which holds no records"},
	}, l.Report.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if l.Report.Records != 1 || l.Report.Bad != 0 {
		t.Errorf("report: %+v", l.Report)
	}
	if _, err := Read(context.Background(), folder(t, map[string]string{"notes.txt": "Ask Ana.\n"}), Options{}); err == nil ||
		!strings.Contains(err.Error(), "none of the 1 files holds logs, such as ") {
		t.Errorf("a folder of notes: %v", err)
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	text := archiveWith(t, "export/", "", "export/SigninLogs.ndjson", goodLine+"\n", "My_CL/2026-03-17.csv", "TimeGenerated,A\n2026-03-17T10:00:00Z,a\n",
		"__MACOSX/._SigninLogs.ndjson", "x", "notes.md", "n", "inner.zip", "PK", "SigninLogs.json.gz", zipped(t, goodLine))
	dir := folder(t, map[string]string{"logs.zip": text})
	for _, at := range []string{dir, filepath.Join(dir, "logs.zip")} {
		var done, total int64
		l, err := Read(context.Background(), at, Options{Progress: func(d, t int64) { done, total = d, t }})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"My_CL A=a", "SigninLogs Type=SigninLogs UserId=u", "SigninLogs Type=SigninLogs UserId=u"}, rows(l)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		zip := filepath.Join(dir, "logs.zip")
		if diff := cmp.Diff([]Skipped{
			{zip + "/notes.md", "not a kind that is read (" + knownKinds + ")"},
			{zip + "/inner.zip", "an archive inside an archive: unpack it"},
		}, l.Report.Skipped); diff != "" {
			t.Errorf("skipped (-want +got):\n%s", diff)
		}
		if done != total || l.Report.Files[0].Path != zip+"/export/SigninLogs.ndjson" || !l.Report.Files[0].Compressed {
			t.Errorf("progress %d of %d, files %+v", done, total, l.Report.Files)
		}
	}
	// The name of an archive counts if those in it say nothing.
	l := mustRead(t, Options{}, "SigninLogs.zip", archiveWith(t, "query_data.csv", "TimeGenerated,UserId\n04/03/2026 10:00,u\n17/03/2026 10:00,v\n"))
	if diff := cmp.Diff([]string{"SigninLogs Type=SigninLogs UserId=u", "SigninLogs Type=SigninLogs UserId=v"}, rows(l)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
