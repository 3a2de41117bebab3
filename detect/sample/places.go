package sample

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// place is where a sign-in comes from, as the service sees it: an address
// and what it knows of the address.
type place struct {
	ip                   string
	city, state, country string
	lat, lon             float64
	asn                  string
	isp                  string
	network              string // the tenant's name for it, if it has one
}

// office is one of the company's places of work with the people of one
// country. Its names are written as "native/ascii", the ascii form being the
// one that user principal names are made of.
type office struct {
	place
	offset     time.Duration // of its clock from UTC on the day
	carrier    string        // of its people's phones and homes
	carrierASN string
	mobile     string // the address phones there come from
	script     script
	given      string
	family     string
}

// script is how a display name is put together.
type script int

const (
	givenFirst        script = iota // Zoë Brückner
	familyFirstSpaced               // 佐藤 健
	familyFirstJoined               // 陳怡君
)

// offices are the company's. Addresses of offices are in 192.0.2.0/24, those
// of phones in 198.51.100.0/24; AS numbers are from RFC 5398.
var offices = []office{
	{
		place:  place{"192.0.2.10", "Zurich", "Zurich", "CH", 47.3769, 8.5417, "64500", "Alpine Fibre", "Zurich office"},
		offset: 1 * time.Hour, carrier: "Edelweiss Telecom", carrierASN: "64510", mobile: "198.51.100.10",
		given:  "Zoë/zoe Jürg/juerg Léa/lea Björn/bjoern Noémie/noemie Anaïs/anais Matteo/matteo Ursina/ursina Reto/reto François/francois Käthi/kaethi Łukasz/lukasz Chloë/chloe Sören/soeren",
		family: "Brückner/brueckner Müller/mueller Zürcher/zuercher Favre/favre Schönenberger/schoenenberger Bianchi/bianchi Rüegg/rueegg Nussbäumer/nussbaeumer Żak/zak Østergård/oestergaard Hänni/haenni Dvořák/dvorak Crêt/cret Gößmann/goessmann",
	},
	{
		place:  place{"192.0.2.20", "Montreal", "Quebec", "CA", 45.5017, -73.5673, "64501", "Saint-Laurent Network", "Montreal office"},
		offset: -4 * time.Hour, carrier: "Boreal Mobile", carrierASN: "64511", mobile: "198.51.100.20",
		given:  "Marie/marie Olivier/olivier Gaëlle/gaelle Étienne/etienne Sarah/sarah William/william Océane/oceane Liam/liam Maïté/maite Gabriel/gabriel Renée/renee Jérôme/jerome Aoife/aoife Noah/noah",
		family: "Tremblay/tremblay Lefèvre/lefevre O'Connor/oconnor Bélanger/belanger Gagné/gagne Smith/smith Côté/cote Nguyễn/nguyen Lévesque/levesque Martin/martin Désilets/desilets MacDonald/macdonald Hébert/hebert Roy/roy",
	},
	{
		place:  place{"192.0.2.30", "Thessaloniki", "Thessaloniki", "GR", 40.6401, 22.9444, "64502", "Aegean Net", "Thessaloniki office"},
		offset: 2 * time.Hour, carrier: "Olympos Mobile", carrierASN: "64512", mobile: "198.51.100.30",
		given:  "Δημήτρης/dimitris Μαρία/maria Γιώργος/giorgos Ελένη/eleni Κώστας/kostas Κατερίνα/katerina Νίκος/nikos Σοφία/sofia Παναγιώτης/panagiotis Άννα/anna Χρήστος/christos Βασιλική/vasiliki Θανάσης/thanasis Ιωάννα/ioanna",
		family: "Παπαδάκης/papadakis Οικονόμου/oikonomou Αντωνίου/antoniou Νικολάου/nikolaou Γεωργίου/georgiou Κωνσταντίνου/konstantinou Βλάχος/vlachos Σωτηρίου/sotiriou Ιωάννου/ioannou Μιχαηλίδης/michailidis Λαμπράκη/lampraki Ζήση/zisi Χατζής/chatzis Ευσταθίου/efstathiou",
	},
	{
		place:  place{"192.0.2.40", "Sofia", "Sofia", "BG", 42.6977, 23.3219, "64503", "Vitosha Net", "Sofia office"},
		offset: 2 * time.Hour, carrier: "Balkan Mobile", carrierASN: "64503", mobile: "198.51.100.40",
		given:  "Георги/georgi Мария/mariya Иван/ivan Елена/elena Димитър/dimitar Десислава/desislava Николай/nikolay Йоана/yoana Петър/petar Ралица/ralitsa Стефан/stefan Цветелина/tsvetelina Тодор/todor Жана/zhana",
		family: "Димитров/dimitrov Иванова/ivanova Петров/petrov Георгиева/georgieva Стоянов/stoyanov Николова/nikolova Ангелов/angelov Тодорова/todorova Христов/hristov Попова/popova Янков/yankov Желязков/zhelyazkov Щерев/shterev Юнакова/yunakova",
	},
	{
		place:  place{"192.0.2.50", "Amman", "Amman", "JO", 31.9539, 35.9106, "64504", "Petra Net", "Amman office"},
		offset: 3 * time.Hour, carrier: "Wadi Mobile", carrierASN: "64504", mobile: "198.51.100.50",
		given:  "أحمد/ahmad ليلى/layla محمد/mohammad نور/nour يوسف/yousef رنا/rana خالد/khaled سلمى/salma عمر/omar هدى/huda فادي/fadi دينا/dina زيد/zaid مريم/maryam",
		family: "الزعبي/alzoubi العبادي/alabbadi حداد/haddad النابلسي/nabulsi المصري/almasri عودة/odeh الخطيب/khatib قاسم/qasem شاهين/shahin الرفاعي/rifai طوقان/touqan صالح/saleh بركات/barakat منصور/mansour",
	},
	{
		place:  place{"192.0.2.60", "Tel Aviv", "Tel Aviv", "IL", 32.0853, 34.7818, "64505", "Yarkon Net", "Tel Aviv office"},
		offset: 2 * time.Hour, carrier: "Galil Mobile", carrierASN: "64505", mobile: "198.51.100.60",
		given:  "יעל/yael נועם/noam תמר/tamar איתי/itai שירה/shira אורי/uri מיכל/michal דניאל/daniel רוני/roni עומר/omer הילה/hila אביב/aviv נעמה/naama גיא/guy",
		family: "כהן/cohen לוי/levi מזרחי/mizrahi פרץ/peretz ביטון/biton אברהם/avraham פרידמן/friedman שפירא/shapira דהן/dahan אזולאי/azoulay ברק/barak גולן/golan רוזן/rosen שחר/shahar",
	},
	{
		place:  place{"192.0.2.70", "Pune", "Maharashtra", "IN", 18.5204, 73.8567, "64506", "Sahyadri Net", "Pune office"},
		offset: 5*time.Hour + 30*time.Minute, carrier: "Deccan Mobile", carrierASN: "64506", mobile: "198.51.100.70",
		given:  "प्रिया/priya राहुल/rahul अनिता/anita संजय/sanjay कविता/kavita अमित/amit नेहा/neha विक्रम/vikram पूजा/pooja रोहन/rohan मीरा/meera अर्जुन/arjun दीपा/deepa सचिन/sachin",
		family: "देशमुख/deshmukh कुलकर्णी/kulkarni पाटील/patil जोशी/joshi शिंदे/shinde गोखले/gokhale शर्मा/sharma नायर/nair चव्हाण/chavan राव/rao मेहता/mehta भोसले/bhosale कदम/kadam आपटे/apte",
	},
	{
		place:  place{"192.0.2.80", "Taipei", "Taipei City", "TW", 25.033, 121.5654, "64507", "Tamsui Net", "Taipei office"},
		offset: 8 * time.Hour, carrier: "Yushan Mobile", carrierASN: "64507", mobile: "198.51.100.80", script: familyFirstJoined,
		given:  "怡君/yijun 志明/zhiming 雅婷/yating 家豪/jiahao 淑芬/shufen 俊傑/junjie 佳穎/jiaying 冠宇/guanyu 詩涵/shihan 建宏/jianhong 美玲/meiling 承翰/chenghan 欣怡/xinyi 柏翰/bohan",
		family: "陳/chen 林/lin 黃/huang 張/zhang 李/li 王/wang 吳/wu 劉/liu 蔡/cai 楊/yang 許/xu 鄭/zheng 謝/xie 郭/guo",
	},
	{
		place:  place{"192.0.2.90", "Osaka", "Osaka", "JP", 34.6937, 135.5023, "64508", "Yodo Net", "Osaka office"},
		offset: 9 * time.Hour, carrier: "Sakura Mobile", carrierASN: "64508", mobile: "198.51.100.90", script: familyFirstSpaced,
		given:  "陽子/yoko 健/ken 美咲/misaki 翔太/shota さくら/sakura 大輔/daisuke 恵/megumi 拓也/takuya 直美/naomi 亮/ryo 千尋/chihiro 一郎/ichiro 葵/aoi 浩/hiroshi",
		family: "田中/tanaka 佐藤/sato 鈴木/suzuki 高橋/takahashi 渡辺/watanabe 伊藤/ito 山本/yamamoto 中村/nakamura 小林/kobayashi 加藤/kato 吉田/yoshida 松本/matsumoto 井上/inoue 木村/kimura",
	},
	{
		place:  place{"192.0.2.100", "Busan", "Busan", "KR", 35.1796, 129.0756, "64509", "Haeundae Net", "Busan office"},
		offset: 9 * time.Hour, carrier: "Jeju Mobile", carrierASN: "64509", mobile: "198.51.100.100", script: familyFirstJoined,
		given:  "민준/minjun 서연/seoyeon 지훈/jihun 수진/sujin 현우/hyeonu 은지/eunji 성민/seongmin 하윤/hayun 동현/donghyeon 유나/yuna 준호/junho 미경/migyeong 태영/taeyeong 지아/jia",
		family: "김/kim 이/lee 박/park 최/choi 정/jung 강/kang 조/cho 윤/yoon 장/jang 임/lim 한/han 오/oh 서/seo 신/shin",
	},
}

// countryNames are the names of the countries that the places are in.
var countryNames = map[string]string{
	"AT": "Austria", "AU": "Australia", "BG": "Bulgaria", "BR": "Brazil", "CA": "Canada", "CH": "Switzerland", "CZ": "Czechia", "DE": "Germany",
	"ES": "Spain", "FI": "Finland", "FR": "France", "GR": "Greece", "IE": "Ireland", "IL": "Israel", "IN": "India", "IT": "Italy",
	"JO": "Jordan", "JP": "Japan", "KR": "South Korea", "LU": "Luxembourg", "MX": "Mexico", "NG": "Nigeria", "NL": "Netherlands", "NO": "Norway",
	"PH": "Philippines", "PL": "Poland", "PT": "Portugal", "RO": "Romania", "SG": "Singapore", "TR": "Türkiye", "TW": "Taiwan",
	"UA": "Ukraine", "US": "United States", "ZA": "South Africa",
}

// intruders are the places that prompts nobody asked for come from on the
// documented day. All of them are in 203.0.113.0/24 or 2001:db8:bad::/48, where
// nobody works.
var intruders = map[Story]place{
	OtherCaseRejection:      {"203.0.113.31", "Warsaw", "Mazowieckie", "PL", 52.2297, 21.0122, "65537", "Vistula Servers", ""},
	IPv6Rejection:           {"2001:db8:bad:1::42", "Helsinki", "Uusimaa", "FI", 60.1699, 24.9384, "65538", "Northern Racks", ""},
	ScriptRejection:         {"203.0.113.33", "Ashburn", "Virginia", "US", 39.0438, -77.4874, "65539", "Tidewater Hosting", ""},
	GuestRejection:          {"203.0.113.34", "Sao Paulo", "Sao Paulo", "BR", -23.5505, -46.6333, "65540", "Paulista Cloud", ""},
	AdminRejection:          {"203.0.113.35", "Amsterdam", "North Holland", "NL", 52.3676, 4.9041, "65541", "Polder VPS", ""},
	FraudReport:             {"203.0.113.36", "Johannesburg", "Gauteng", "ZA", -26.2041, 28.0473, "65542", "Highveld Hosting", ""},
	PushBombingRejected:     {"203.0.113.66", "Amsterdam", "North Holland", "NL", 52.3676, 4.9041, "65541", "Polder VPS", ""},
	PushBombingAccepted:     {"203.0.113.99", "Bucharest", "Bucuresti", "RO", 44.4268, 26.1025, "65543", "Dambovita Datacenter", ""},
	NonInteractiveRejection: {"203.0.113.37", "Frankfurt am Main", "Hessen", "DE", 50.1109, 8.6821, "65544", "Main Compute", ""},
	SharedCorrelation:       {"203.0.113.38", "Chicago", "Illinois", "US", 41.8781, -87.6298, "65545", "Lakeshore Servers", ""},
	BothTables:              {"203.0.113.39", "Istanbul", "Istanbul", "TR", 41.0082, 28.9784, "65546", "Bosphorus Hosting", ""},
	RejectedTwice:           {"203.0.113.40", "Singapore", "Central Singapore", "SG", 1.3521, 103.8198, "65547", "Strait Cloud", ""},
	HourBoundary:            {"203.0.113.41", "Madrid", "Madrid", "ES", 40.4168, -3.7038, "65548", "Meseta Hosting", ""},
	QuarterBoundary:         {"203.0.113.42", "Lagos", "Lagos", "NG", 6.5244, 3.3792, "65549", "Lagoon Networks", ""},
	WindowStart:             {"203.0.113.43", "Dallas", "Texas", "US", 32.7767, -96.797, "65550", "Prairie Racks", ""},
	RefusedThenSignedIn:     {"203.0.113.45", "Milan", "Lombardy", "IT", 45.4642, 9.19, "65536", "Brera Hosting", ""},
	RejectedThenElsewhere:   {"203.0.113.48", "Athens", "Attica", "GR", 37.9838, 23.7275, "65542", "Piraeus Hosting", ""},
	OtherAccount:            {"203.0.113.49", "Luxembourg", "Luxembourg", "LU", 49.6116, 6.1319, "65544", "Alzette Compute", ""},
	FatigueApproved:         {"203.0.113.46", "Vienna", "Vienna", "AT", 48.2082, 16.3738, "65538", "Donau Racks", ""},
	FatigueUnanswered:       {"203.0.113.47", "Prague", "Prague", "CZ", 50.0755, 14.4378, "65540", "Vltava Cloud", ""},
	Hostile:                 {"203.0.113.44", "Sydney", "New South Wales", "AU", -33.8688, 151.2093, "65551", "Harbour VPS", ""},
}

// plainIntruders and lateIntruders serve the stories that more than one user
// is in, in the order of those users.
var (
	plainIntruders = []place{
		{"203.0.113.21", "Paris", "Paris", "FR", 48.8566, 2.3522, "65536", "Seine Hosting", ""},
		{"203.0.113.22", "Kyiv", "Kyiv", "UA", 50.4501, 30.5234, "65537", "Dnipro Servers", ""},
		{"203.0.113.23", "Mexico City", "Mexico City", "MX", 19.4326, -99.1332, "65538", "Anahuac Cloud", ""},
	}
	lateIntruders = []place{
		{"203.0.113.51", "Dublin", "Dublin", "IE", 53.3498, -6.2603, "65539", "Liffey Compute", ""},
		{"203.0.113.52", "Manila", "National Capital Region", "PH", 14.5995, 120.9842, "65540", "Pasig Hosting", ""},
	}
)

// Other ways out that attackers have, which are nobody else's.
var (
	tejo  = place{"203.0.113.252", "Lisbon", "Lisboa", "PT", 38.7223, -9.1393, "64497", "Tejo Hosting", ""}
	fjord = place{"203.0.113.251", "Oslo", "Oslo", "NO", 59.9139, 10.7522, "64498", "Fjord Racks", ""}
)

// attackersOf says where the attackers of a seed are: on the documented day as
// above, else each in another of the places and at an address of its own.
func attackersOf(seed uint64) (attackers map[Story]place, plain, late []place) {
	attackers, plain, late = maps.Clone(intruders), slices.Clone(plainIntruders), slices.Clone(lateIntruders)
	if seed == 0 {
		return attackers, plain, late
	}
	r := newRandom(seed, "where")
	all := slices.Concat(plain, late)
	stories := slices.Sorted(maps.Keys(attackers))
	for _, s := range stories {
		all = append(all, attackers[s])
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i, last := range r.Perm(250)[:len(all)] {
		all[i].ip = "203.0.113." + itoa(1+last)
	}
	copy(plain, all)
	copy(late, all[len(plain):])
	for i, s := range stories {
		p := all[len(plain)+len(late)+i]
		if s == IPv6Rejection {
			p.ip = fmt.Sprintf("2001:db8:bad:%x::%x", 1+r.IntN(0xffff), 1+r.IntN(0xffff))
		}
		attackers[s] = p
	}
	return attackers, plain, late
}
