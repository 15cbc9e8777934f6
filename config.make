# The status page becomes bytes that are compiled in.  nginx's configure reads
# this after it has written its Makefile; "make" then follows the source page.

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/addon/endpoints/status.o: \\
	$NGX_OBJS/page.inc

$NGX_OBJS/page.inc: $ngx_addon_dir/src/endpoints/status.html
	od -A n -t u1 -v $ngx_addon_dir/src/endpoints/status.html \\
		| sed -e 's/  *\([0-9][0-9]*\)/ \1,/g' > \$@.new
	mv \$@.new \$@

END
